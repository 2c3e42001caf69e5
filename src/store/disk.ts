/**
 * The disk as the store sees it: a directory tree of files that can be read, written, mapped and made durable.
 *
 * Everything that RazorFS puts on a disk goes through this interface, and nothing else does, so that a simulated disk
 * can stand in for the real one in crash tests. `host-disk.ts` is the real one.
 *
 * Failures are thrown (or rejected) as `DiskError`. Paths are relative to the store's directory, with `/` between parts.
 */

/** A failed disk operation: what was tried, on which file, and the host's errno. */
export class DiskError extends Error {
  /** The host's errno name: `ENOSPC`, `EIO`, `ENOENT`, `EACCES`, `EDQUOT`, … */
  readonly code: string;
  readonly syscall: string;
  readonly path: string;

  constructor(code: string, syscall: string, path: string) {
    super(`${syscall} ${path}: ${code}`);
    this.name = 'DiskError';
    this.code = code;
    this.syscall = syscall;
    this.path = path;
  }
}

/** `read`: must exist, never written. `write`: must exist. `create`: made or emptied. */
export type OpenMode = 'read' | 'write' | 'create';

/** Bytes `from` to `to` - 1 of a file. */
export interface FileBytes {
  readonly from: number;
  readonly to: number;
}

/** `uncached`: it would wait for the device. `unfit`: not all of it is in the file, or it cannot be sent so. Nothing was sent. */
export type SendResult = 'sent' | 'uncached' | 'unfit';

/** An open file. Offsets and lengths are in bytes. */
export interface DiskFile {
  readonly path: string;

  /** The file's size in bytes (st_size). */
  size(): number;
  /** The bytes that the host has allocated for it (st_blocks × 512). */
  allocatedBytes(): number;

  /** Reads up to `length` bytes at `position` into `into` at `offset`; returns how many, fewer only at the end of file. */
  read(into: Uint8Array, offset: number, length: number, position: number): number;
  /** As `read`, but returns -1 at once when that would wait for the device (preadv2 with RWF_NOWAIT). */
  readCached(into: Uint8Array, offset: number, length: number, position: number): number;
  /** As `read`, off the main thread. `into` must stay untouched until the promise settles. */
  readInBackground(into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /**
   * Sends `message` up to `offset`, and behind that a range of the file, as one message to the descriptor `device`, at once and
   * without a copy in this process.
   */
  sendCached(message: Uint8Array, offset: number, length: number, position: number, device: number): SendResult;
  /**
   * The same off the main thread, for what may have to be read from the device: reads as `readInBackground` into `message` at
   * `offset`, zeros past the end of file, and sends that. Resolves with the positive errno of sending, 0 for none; rejects when
   * it could not be read, with nothing sent.
   */
  sendInBackground(
    message: Uint8Array,
    offset: number,
    length: number,
    position: number,
    device: number,
  ): Promise<number>;
  /** Writes all of the range or throws. */
  write(from: Uint8Array, offset: number, length: number, position: number): void;

  /**
   * Takes a range over from the same place in another file of this disk without copying: the two share the space until one of them
   * is written to (FICLONERANGE). Only whole blocks of the host before the other file's end can be had so: returns what of the range
   * was taken, or an empty one at its end where the host has no such thing, or no room for it. The rest of the range may hold
   * anything then. A clone is as durable as what is written: once this file is synced. Throws DiskError.
   */
  cloneFrom(source: DiskFile, range: FileBytes): FileBytes;

  /** Sets the size; what lies beyond it is gone, what is added reads as zeros (ftruncate). */
  truncate(size: number): void;
  /** Allocates space for the range and grows the size to its end: later writes there cannot meet ENOSPC (fallocate). */
  allocate(position: number, length: number): void;
  /** As `allocate` without changing the size (FALLOC_FL_KEEP_SIZE). */
  reserve(position: number, length: number): void;
  /** Frees the range, which then reads as zeros; the size stays (FALLOC_FL_PUNCH_HOLE). */
  punch(position: number, length: number): void;
  /** The first offset at or after `position` that holds data, or -1 when there is none (SEEK_DATA). */
  seekData(position: number): number;
  /** The first offset at or after `position` in a hole; the end of file counts as one; -1 past it (SEEK_HOLE). */
  seekHole(position: number): number;

  /**
   * Maps the first `length` bytes (at most 1 GiB) shared and writable, or read-only when the file was opened so. The map
   * may reach past the end of the file; only bytes below the allocated size may be touched.
   */
  map(length: number): Uint8Array;

  /** Lets the host begin to write a range back, off the main thread: a later sync finds less to do. It promises nothing. */
  startWriteback(position: number, length: number): void;

  /**
   * Makes all written and mapped changes durable, off the main thread (fdatasync). Rejects when it fails, when another sync of the
   * file does that overlaps with it, and ever after.
   */
  sync(): Promise<void>;
  /** The same at once. */
  syncNow(): void;
  /** Closes the file; a map stays valid. Closing twice is harmless. */
  close(): void;
}

/** What the host file system under the store has room for (statvfs). Counts of `blockSize` bytes. */
export interface DiskStatistics {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  /** Free for ordinary users. */
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
}

export interface Disk {
  open(path: string, mode: OpenMode): DiskFile;
  exists(path: string): boolean;
  /** The names in a directory, in no order. */
  list(path: string): string[];
  /** Makes a directory; one that is there already is fine. */
  makeDirectory(path: string): void;
  /** Removes a file; one that is not there is fine. */
  remove(path: string): void;
  /** Makes creations, renames and deletions in a directory durable (fsync of the directory). */
  syncDirectory(path: string): void;
  statistics(): DiskStatistics;
}
