/**
 * Numbers of the FUSE kernel protocol: version, opcodes, flags. Names are the kernel's, so that they can be looked up in its
 * header (include/uapi/linux/fuse.h, protocol 7.45); only the FUSE_ prefix of opcodes is dropped. Only what is used is here.
 * The structs are in abi-structs.ts.
 */

export const FUSE_KERNEL_VERSION = 7;
/** The newest minor version whose messages are known here. */
export const FUSE_KERNEL_MINOR_VERSION = 45;
/** The oldest minor version that has all that is relied on: FUSE_WRITE_KILL_PRIV came with 7.31 (Linux 5.4). */
export const FUSE_KERNEL_MINOR_VERSION_MIN = 31;

/** Request types (enum fuse_opcode). 7, 19 and 33 and above 53 are not assigned or not for file systems. */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SETUPMAPPING: 48,
  REMOVEMAPPING: 49,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

/** One more than the highest opcode known. */
export const OPCODE_LIMIT = 54;

/** Flags of INIT, bits 0 to 31 (`flags`). */
export const FUSE_ASYNC_READ = 1 << 0;
export const FUSE_EXPORT_SUPPORT = 1 << 4;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_DO_READDIRPLUS = 1 << 13;
export const FUSE_READDIRPLUS_AUTO = 1 << 14;
export const FUSE_ASYNC_DIO = 1 << 15;
export const FUSE_DONT_MASK = 1 << 6;
export const FUSE_POSIX_ACL = 1 << 20;
export const FUSE_SETXATTR_EXT = 1 << 29;
export const FUSE_WRITEBACK_CACHE = 1 << 16;
export const FUSE_NO_OPEN_SUPPORT = 1 << 17;
export const FUSE_PARALLEL_DIROPS = 1 << 18;
export const FUSE_MAX_PAGES = 1 << 22;
export const FUSE_CACHE_SYMLINKS = 1 << 23;
export const FUSE_NO_OPENDIR_SUPPORT = 1 << 24;
export const FUSE_EXPLICIT_INVAL_DATA = 1 << 25;
export const FUSE_HANDLE_KILLPRIV_V2 = 1 << 28;
export const FUSE_INIT_EXT = 1 << 30;
/** Flags of INIT, bits 32 to 63, as they stand in `flags2`. */
export const FUSE_HAS_RESEND_FLAG2 = 1 << 7;

/** fuse_setattr_in.valid */
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;
export const FATTR_ATIME_NOW = 1 << 7;
export const FATTR_MTIME_NOW = 1 << 8;
export const FATTR_CTIME = 1 << 10;
export const FATTR_KILL_SUIDGID = 1 << 11;

/** fuse_write_in.write_flags */
export const FUSE_WRITE_CACHE = 1 << 0;
export const FUSE_WRITE_KILL_SUIDGID = 1 << 2;

/** fuse_open_out.open_flags */
export const FOPEN_KEEP_CACHE = 1 << 1;

/** The bit of the upper half of `unique` that marks a request which is sent once more (FUSE_UNIQUE_RESEND, bit 63). */
export const FUSE_UNIQUE_RESEND_HIGH = 0x8000_0000;

/** enum fuse_notify_code: messages from the file system to the kernel that answer no request. */
export const FUSE_NOTIFY_INVAL_INODE = 2;
export const FUSE_NOTIFY_INVAL_ENTRY = 3;
export const FUSE_NOTIFY_RESEND = 7;
export const FUSE_NOTIFY_INC_EPOCH = 8;

export const FUSE_ROOT_ID = 1;

/** Masks of statx(2) for what fuse_statx can carry. */
export const STATX_BASIC_STATS = 0x7ff;
export const STATX_BTIME = 0x800;

/** fuse_setxattr_in.setxattr_flags: setgid goes when an access control list is set. */
export const FUSE_SETXATTR_ACL_KILL_SGID = 1;
