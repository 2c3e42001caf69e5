/**
 * Structs of the FUSE kernel protocol, with the kernel's names and field order (include/uapi/linux/fuse.h, protocol 7.45).
 * A request is a fuse_in_header, the struct of its opcode, then names or data; a reply is a fuse_out_header and what follows.
 * `time` fields are seconds since 1970, `nsec` fields nanoseconds, sizes bytes, blocks units of 512 bytes.
 */
import { struct, u16, u32, u64 } from './struct.js';

export const fuse_in_header = struct(40, {
  len: u32,
  opcode: u32,
  unique: u64,
  nodeid: u64,
  uid: u32,
  gid: u32,
  pid: u32,
  total_extlen: u16,
  padding: u16,
});

export const fuse_out_header = struct(16, { len: u32, error: u32, unique: u64 });

export const fuse_attr = struct(88, {
  ino: u64,
  size: u64,
  blocks: u64,
  atime: u64,
  mtime: u64,
  ctime: u64,
  atimensec: u32,
  mtimensec: u32,
  ctimensec: u32,
  mode: u32,
  nlink: u32,
  uid: u32,
  gid: u32,
  rdev: u32,
  blksize: u32,
  flags: u32,
});

export const fuse_entry_out = struct(128, {
  nodeid: u64,
  generation: u64,
  entry_valid: u64,
  attr_valid: u64,
  entry_valid_nsec: u32,
  attr_valid_nsec: u32,
  attr: fuse_attr.sizeof,
});

export const fuse_attr_out = struct(104, {
  attr_valid: u64,
  attr_valid_nsec: u32,
  dummy: u32,
  attr: fuse_attr.sizeof,
});

export const fuse_sx_time = struct(16, { tv_sec: u64, tv_nsec: u32, __reserved: u32 });

export const fuse_statx = struct(256, {
  mask: u32,
  blksize: u32,
  attributes: u64,
  nlink: u32,
  uid: u32,
  gid: u32,
  mode: u16,
  __spare0: u16,
  ino: u64,
  size: u64,
  blocks: u64,
  attributes_mask: u64,
  atime: fuse_sx_time.sizeof,
  btime: fuse_sx_time.sizeof,
  ctime: fuse_sx_time.sizeof,
  mtime: fuse_sx_time.sizeof,
  rdev_major: u32,
  rdev_minor: u32,
  dev_major: u32,
  dev_minor: u32,
  __spare2: 14 * u64,
});

export const fuse_statx_in = struct(24, { getattr_flags: u32, reserved: u32, fh: u64, sx_flags: u32, sx_mask: u32 });
export const fuse_statx_out = struct(288, {
  attr_valid: u64,
  attr_valid_nsec: u32,
  flags: u32,
  spare: 2 * u64,
  stat: fuse_statx.sizeof,
});

export const fuse_kstatfs = struct(80, {
  blocks: u64,
  bfree: u64,
  bavail: u64,
  files: u64,
  ffree: u64,
  bsize: u32,
  namelen: u32,
  frsize: u32,
  padding: u32,
  spare: 6 * u32,
});

/** The part that every protocol version has; 7.36 made it longer (FUSE_INIT_EXT). */
export const fuse_init_in_short = struct(16, { major: u32, minor: u32, max_readahead: u32, flags: u32 });
export const fuse_init_in = struct(64, {
  major: u32,
  minor: u32,
  max_readahead: u32,
  flags: u32,
  flags2: u32,
  unused: 11 * u32,
});
export const fuse_init_out = struct(64, {
  major: u32,
  minor: u32,
  max_readahead: u32,
  flags: u32,
  max_background: u16,
  congestion_threshold: u16,
  max_write: u32,
  time_gran: u32,
  max_pages: u16,
  map_alignment: u16,
  flags2: u32,
  max_stack_depth: u32,
  request_timeout: u16,
  unused: 11 * u16,
});

export const fuse_forget_in = struct(8, { nlookup: u64 });
export const fuse_forget_one = struct(16, { nodeid: u64, nlookup: u64 });
export const fuse_batch_forget_in = struct(8, { count: u32, dummy: u32 });
export const fuse_getattr_in = struct(16, { getattr_flags: u32, dummy: u32, fh: u64 });

export const fuse_setattr_in = struct(88, {
  valid: u32,
  padding: u32,
  fh: u64,
  size: u64,
  lock_owner: u64,
  atime: u64,
  mtime: u64,
  ctime: u64,
  atimensec: u32,
  mtimensec: u32,
  ctimensec: u32,
  mode: u32,
  unused4: u32,
  uid: u32,
  gid: u32,
  unused5: u32,
});

export const fuse_mknod_in = struct(16, { mode: u32, rdev: u32, umask: u32, padding: u32 });
export const fuse_mkdir_in = struct(8, { mode: u32, umask: u32 });
export const fuse_rename_in = struct(8, { newdir: u64 });
export const fuse_rename2_in = struct(16, { newdir: u64, flags: u32, padding: u32 });
export const fuse_link_in = struct(8, { oldnodeid: u64 });
export const fuse_create_in = struct(16, { flags: u32, mode: u32, umask: u32, open_flags: u32 });
export const fuse_open_out = struct(16, { fh: u64, open_flags: u32, backing_id: u32 });

/** READ, READDIR and READDIRPLUS. */
export const fuse_read_in = struct(40, {
  fh: u64,
  offset: u64,
  size: u32,
  read_flags: u32,
  lock_owner: u64,
  flags: u32,
  padding: u32,
});
export const fuse_write_in = struct(40, {
  fh: u64,
  offset: u64,
  size: u32,
  write_flags: u32,
  lock_owner: u64,
  flags: u32,
  padding: u32,
});
export const fuse_write_out = struct(8, { size: u32, padding: u32 });
export const fuse_fsync_in = struct(16, { fh: u64, fsync_flags: u32, padding: u32 });
export const fuse_fallocate_in = struct(32, { fh: u64, offset: u64, length: u64, mode: u32, padding: u32 });
export const fuse_lseek_in = struct(24, { fh: u64, offset: u64, whence: u32, padding: u32 });
export const fuse_lseek_out = struct(8, { offset: u64 });
export const fuse_copy_file_range_in = struct(56, {
  fh_in: u64,
  off_in: u64,
  nodeid_out: u64,
  fh_out: u64,
  off_out: u64,
  len: u64,
  flags: u64,
});
export const fuse_copy_file_range_out = struct(8, { bytes_copied: u64 });

/** The form with FUSE_SETXATTR_EXT, and the one of kernels without it. */
export const fuse_setxattr_in = struct(16, { size: u32, flags: u32, setxattr_flags: u32, padding: u32 });
export const fuse_setxattr_in_short = struct(8, { size: u32, flags: u32 });
export const fuse_getxattr_in = struct(8, { size: u32, padding: u32 });
export const fuse_getxattr_out = struct(8, { size: u32, padding: u32 });
export const fuse_syncfs_in = struct(8, { padding: u64 });

/** Followed by the name, padded with zeros to a multiple of 8 bytes (FUSE_DIRENT_ALIGN). */
export const fuse_dirent = struct(24, { ino: u64, off: u64, namelen: u32, type: u32 });
export const fuse_direntplus = struct(152, { entry_out: fuse_entry_out.sizeof, dirent: fuse_dirent.sizeof });

export const fuse_notify_inval_inode_out = struct(24, { ino: u64, off: u64, len: u64 });
/** Followed by the name and a NUL. */
export const fuse_notify_inval_entry_out = struct(16, { parent: u64, namelen: u32, flags: u32 });
