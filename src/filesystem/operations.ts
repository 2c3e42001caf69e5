/**
 * The operations of a mounted filesystem, on inode numbers: what every transport (the kernel protocol, fuse-native, code in
 * this process) calls, and what `FileSystem` implements on a volume.
 *
 * Conventions:
 * - A refusal is thrown as `Errno`; damage as `CorruptionError`; a failing disk as `DiskError`. `errnoOf` tells the errno.
 * - Every method finishes at once unless it returns a promise. Promises stand where the disk must be waited for.
 * - Names and values are bytes (`Uint8Array`), which are only read during the call.
 * - `Attributes` arguments named `out` are filled in.
 * - Permission bits are checked by the kernel (default_permissions), not here.
 * - Inode numbers that come from outside may be stale: ESTALE for those that no longer exist.
 */
import type { Ino } from '../store/units.js';
import type { Attributes } from './attributes.js';

/** Who asks, filled by the transport before each call. */
export interface Caller {
  uid: number;
  gid: number;
  pid: number;
  /**
   * The permission bits that new inodes do not get (umask(2)), where the transport leaves that to the filesystem because access
   * control lists may take its place; otherwise 0.
   */
  umask: number;
  /**
   * The transport's number of this request, written into the log with the change that it makes, so that a request sent again
   * after a restart can be recognised. 0 where there is none.
   */
  request: number;
  /**
   * Called, at most once, when all that a call changes has been logged and is only to be applied: it can be answered from then on, and
   * `out` is filled in. Not every call does so. While `isSync`, an answer has to wait for more (`pendingCommit`).
   */
  readonly logged?: (() => void) | undefined;
}

/** A point in time for `setAttributes`: seconds since 1970 (may be negative) and nanoseconds, or the present. */
export type TimeChange = { readonly seconds: number; readonly nanoseconds: number } | 'now';

/** Only the fields that are present change. */
export interface AttributeChanges {
  /** Permission bits only (07777). */
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number;
  /** As in `FileSystemOperations.write`: a new size moves no times but those that are given. */
  isTimed?: boolean;
  atime?: TimeChange;
  mtime?: TimeChange;
  ctime?: TimeChange;
  /** The kernel asks that setuid, setgid and capabilities go (FATTR_KILL_SUIDGID). */
  killPrivileges?: boolean;
}

/** Flags of `rename`, as renameat2(2): RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. Others are EINVAL. */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** Modes of `allocate`, as fallocate(2). */
export const FALLOC_FL_KEEP_SIZE = 0x01;
export const FALLOC_FL_PUNCH_HOLE = 0x02;
export const FALLOC_FL_ZERO_RANGE = 0x10;

/** Flags of `setExtendedAttribute`, as setxattr(2). */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** Filled by `statistics`, as statvfs(3). */
export interface FileSystemStatistics {
  blockSize: number;
  blocks: number;
  blocksFree: number;
  blocksAvailable: number;
  files: number;
  filesFree: number;
  nameLengthMax: number;
}

/**
 * Receives directory entries. `cookie` is the position after this entry: pass it to `readDirectory` to go on from there.
 * Returns false when it has no room: the entry was not taken, and the listing stops.
 */
export type DirectoryVisitor = (name: Uint8Array, ino: Ino, type: number, cookie: number) => boolean;

export type ReadResult = number | Promise<number>;

/** In place of a number of bytes: they have been sent to where they go. */
export const DELIVERED = -1;

/** A descriptor that takes what is read from any thread, as one message with the bytes that are before it in its buffer. */
export interface Delivery {
  readonly device: number;
  /** So many bytes could be delivered. When they are to be, completes what is before them, and returns true. */
  begin(length: number): boolean;
  /** They were delivered, with this errno, 0 for none; returns DELIVERED. */
  end(errno: number): number;
}

export interface FileSystemOperations {
  /**
   * Fills `out` with the inode that `name` in `parent` leads to; false when there is none. Serves `.` and `..` too. Programs ask for
   * names that are not there before they make them: to throw ENOENT each time would cost more than to look.
   */
  find(parent: Ino, name: Uint8Array, out: Attributes): boolean;
  /** The same; ENOENT when there is none. */
  lookup(parent: Ino, name: Uint8Array, out: Attributes): void;
  /** The kernel has dropped its last reference to an inode. Cheap for inodes that still have a name. */
  forget(ino: Ino): void;
  getAttributes(ino: Ino, out: Attributes): void;
  setAttributes(ino: Ino, changes: AttributeChanges, caller: Caller, out: Attributes): void;

  /** Makes a regular file, device, FIFO or socket. `mode` has the type and the permission bits asked for. */
  makeNode(parent: Ino, name: Uint8Array, mode: number, rdev: number, caller: Caller, out: Attributes): void;
  makeDirectory(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): void;
  makeSymlink(parent: Ino, name: Uint8Array, target: Uint8Array, caller: Caller, out: Attributes): void;
  /** Makes a regular file without a name (O_TMPFILE), which `link` may give one. */
  makeTemporary(parent: Ino, mode: number, caller: Caller, out: Attributes): void;
  readSymlink(ino: Ino): Uint8Array;
  link(ino: Ino, parent: Ino, name: Uint8Array, caller: Caller, out: Attributes): void;
  unlink(parent: Ino, name: Uint8Array, caller: Caller): void;
  removeDirectory(parent: Ino, name: Uint8Array, caller: Caller): void;
  rename(parent: Ino, name: Uint8Array, toParent: Ino, toName: Uint8Array, flags: number, caller: Caller): void;

  /** Calls `visit` for the entries after `cookie` (0: from the start, `.` and `..` included) until it returns false. */
  readDirectory(ino: Ino, cookie: number, visit: DirectoryVisitor): void;

  /**
   * Reads into `into` at `at`; returns the number of bytes, fewer than `length` only at the end of file. With `delivery` they may be
   * sent instead, which DELIVERED tells; `into` then need not have them.
   */
  read(ino: Ino, position: number, length: number, into: Uint8Array, at: number, delivery?: Delivery): ReadResult;
  /**
   * Writes `length` bytes of `from` at `at`. All or an error. `killPrivileges`: FUSE_WRITE_KILL_SUIDGID. `isTimed`: the caller
   * keeps mtime and ctime itself, and sets them where they move (the kernel does for what comes from its writeback cache).
   */
  write(
    ino: Ino,
    position: number,
    length: number,
    from: Uint8Array,
    at: number,
    killPrivileges: boolean,
    caller: Caller,
    isTimed?: boolean,
  ): void;
  allocate(ino: Ino, mode: number, position: number, length: number, caller: Caller): void;
  /** SEEK_DATA and SEEK_HOLE; ENXIO past the end. */
  seek(ino: Ino, position: number, whence: number): number;
  /** Returns the number of bytes copied, which may be fewer than asked for. */
  copyRange(from: Ino, fromPosition: number, to: Ino, toPosition: number, length: number, caller: Caller): number;

  /** The value; undefined when there is none, which is what the kernel finds at the first write to almost any file. */
  findExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array | undefined;
  /** The same; ENODATA when there is none. */
  getExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array;
  /** `killSetgid`: the caller may not keep setgid when an access control list is set (FUSE_SETXATTR_ACL_KILL_SGID). */
  setExtendedAttribute(
    ino: Ino,
    name: Uint8Array,
    value: Uint8Array,
    flags: number,
    killSetgid: boolean,
    caller: Caller,
  ): void;
  listExtendedAttributes(ino: Ino): Uint8Array[];
  removeExtendedAttribute(ino: Ino, name: Uint8Array, caller: Caller): void;

  /** Durable when the promise resolves: the file's data and everything that was logged before. */
  sync(ino: Ino): Promise<void>;
  /**
   * What `sync` and `syncDirectory` do, on the calling thread, if it takes little time; false when it does not, and nothing was done.
   * For a caller beside whom nobody waits for this thread.
   */
  syncAtOnce(ino: Ino): boolean;
  /** Durable when the promise resolves: everything that was logged before (fsync of a directory). */
  syncDirectory(ino: Ino): Promise<void>;

  /** Each change is to be durable before it is answered. */
  readonly isSync: boolean;
  /**
   * In `--durability=sync`, the promise of the last change being durable, which its reply must await; otherwise undefined.
   * A transport calls it after each operation that may have changed something. `isLone`: nobody else waits for this thread, which may
   * make the change durable at once.
   */
  pendingCommit(isLone?: boolean): Promise<void> | undefined;

  /**
   * Whether the change of this request (`Caller.request`) was made before the process that served the mount earlier died: a request
   * that is sent again must then be answered without making it again.
   */
  wasApplied(request: number): boolean;

  /** What the filesystem, as far as the quotas of an inode let it be used, has and has left. */
  statistics(ino: Ino, out: FileSystemStatistics): void;
}
