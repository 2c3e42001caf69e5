/**
 * The typed door to the native addon, and the only file that loads it. See native/addon.h for the conventions.
 *
 * Failed system calls are returned, not thrown: as the errno, negated (`-2` is ENOENT). `errnoName` gives its name.
 * Positions and sizes are in bytes, below 2^53.
 */
import { constants } from 'node:os';
import { crc32cByTable } from './crc32c-table.js';
import { loadNative } from './load.js';

declare const watchBrand: unique symbol;
type WatchHandle = { readonly [watchBrand]: true };

interface Addon {
  openFuseDevice(): number;
  mount(source: string, target: string, type: string, flags: number, data: string): number;
  unmount(target: string, flags: number): number;
  reconfigure(target: string): number;
  socketPair(): [number, number] | number;
  receiveFileDescriptor(socket: number): number;
  cloneFuseDevice(fd: number): number;
  sendFileDescriptor(socket: number, fd: number): number;
  exchange(fd: number, reply: Uint8Array, replyLength: number, request: Uint8Array, spinMicroseconds: number): number;
  send(fd: number, message: Uint8Array, length: number): number;
  watchReadable(fd: number, callback: (status: number) => void): WatchHandle | number;
  startWatch(handle: WatchHandle): number;
  stopWatch(handle: WatchHandle): number;
  closeWatch(handle: WatchHandle): void;
  pread(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  preadCached(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  pwrite(fd: number, from: Uint8Array, offset: number, length: number, position: number): number;
  fallocate(fd: number, mode: number, position: number, length: number): number;
  cloneRange(fd: number, source: number, position: number, length: number): number;
  ftruncate(fd: number, size: number): number;
  lseek(fd: number, position: number, whence: number): number;
  fileSize(fd: number): number;
  allocatedBytes(fd: number): number;
  fdatasync(fd: number): number;
  fileSystemType(path: string): number;
  fileSystemStatistics(path: string, out: Float64Array): number;
  preadInBackground(fd: number, into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  sendInBackground(
    fd: number,
    message: Uint8Array,
    offset: number,
    length: number,
    position: number,
    device: number,
  ): Promise<number>;
  sendCached(fd: number, message: Uint8Array, offset: number, length: number, position: number, device: number): number;
  fdatasyncInBackground(fd: number): Promise<number>;
  startWritebackInBackground(fd: number, position: number, length: number): Promise<number>;
  crc32c(bytes: Uint8Array, offset: number, length: number, seed: number): number;
  crc32cPages(bytes: Uint8Array, pageIndexes: Uint32Array, count: number, checksumOffset: number): number;
  isCrc32cPageValid(bytes: Uint8Array, pageIndex: number, checksumOffset: number): boolean;
  getAffinity(mask: Uint8Array): number;
  setAffinity(mask: Uint8Array): number;
  inodeTime(out: Float64Array): number;
}

const addon = loadNative<Addon>('../../../native/build/Release/razorfs.node', 'The native addon');

/** Not util.getSystemErrorName, which knows libuv's errors only: EDQUOT is unknown to it, and EOPNOTSUPP is ENOTSUP. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno).map(([name, number]): [number, string] => [number, name]),
  // Numbers with two names on Linux (errno(3)), and one of file systems that Node leaves out: damage found by the host.
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  [constants.errno.EAGAIN, 'EAGAIN'],
  [117, 'EUCLEAN'],
]);

/** The name of a negative errno, for example `ENOSPC` for -28. */
export const errnoName = (result: number): string => ERRNO_NAMES.get(-result) ?? `errno ${-result}`;

/** Opens /dev/fuse; returns a descriptor that is O_NONBLOCK and close-on-exec. */
export const openFuseDevice = addon.openFuseDevice;
/** mount(2). */
export const mount = addon.mount;
/** umount2(2). */
export const unmount = addon.unmount;
/** Has the kernel give up the directory entries and inodes of a file system that nobody uses, while others go on. */
export const reconfigure = addon.reconfigure;
/** A connected pair of Unix stream sockets, both close-on-exec; a number is a failure. */
export const socketPair = addon.socketPair;
/** Waits for the descriptor that the other end of `socket` sends (SCM_RIGHTS); it is made O_NONBLOCK. */
export const receiveFileDescriptor = addon.receiveFileDescriptor;
/**
 * A second descriptor of the same mount: when it is closed, requests that were read through it and not answered end with
 * ECONNABORTED, and the mount stays.
 */
export const cloneFuseDevice = addon.cloneFuseDevice;
/** Sends a descriptor to the other end of `socket`; both processes then have it. */
export const sendFileDescriptor = addon.sendFileDescriptor;
/**
 * Writes the first `replyLength` bytes of `reply` as one message, if there are any, and reads the next request into
 * `request`, looking for it for up to `spinMicroseconds`. Returns the request's length, 0 when none came, or a negative
 * errno: ENODEV when the mount is gone. A reply that nobody waits for any more is dropped without a sign of it.
 */
export const exchange = addon.exchange;
/** Writes one message (a reply or a notification) to the device. Returns 0 or a negative errno. */
export const send = addon.send;

/** pread(2), going on until the range is full or the file ends. */
export const pread = addon.pread;
/** The same from the page cache alone: EAGAIN when it would wait. Where the host cannot tell, it may wait. */
export const preadCached = addon.preadCached;
/** pwrite(2), going on until all is written. */
export const pwrite = addon.pwrite;
/** fallocate(2). */
export const fallocate = addon.fallocate;
/** ioctl_ficlonerange(2), to the same place in `fd`. */
export const cloneRange = addon.cloneRange;
/** ftruncate(2). */
export const ftruncate = addon.ftruncate;
/** lseek(2). */
export const lseek = addon.lseek;
/** st_size of fstat(2). */
export const fileSize = addon.fileSize;
/** st_blocks of fstat(2), in bytes. */
export const allocatedBytes = addon.allocatedBytes;
/** fdatasync(2). */
export const fdatasync = addon.fdatasync;
/** f_type of statfs(2): a magic number of linux/magic.h. */
export const fileSystemType = addon.fileSystemType;
/** statvfs(3): fills in f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree. */
export const fileSystemStatistics = addon.fileSystemStatistics;
/** `pread` on another thread. `into` and the descriptor must stay until the promise settles. It never rejects. */
export const preadInBackground = addon.preadInBackground;
/**
 * Writes `message` up to `offset`, and behind that a range of a file from its page cache, as one message to `device`. Returns 0;
 * EAGAIN when that would wait; another errno when it cannot be done so. Then nothing was sent.
 */
export const sendCached = addon.sendCached;
/**
 * The same on another thread, waiting for what is not cached. Where it cannot be done so, reads the range into `message` at
 * `offset`, zeros for what is missing at the end of the file, and writes that. Resolves with 0; with a negative errno when the
 * range could not be read and nothing was sent; with a positive one when it could not be sent. `message` and both descriptors must
 * stay until then. It never rejects.
 */
export const sendInBackground = addon.sendInBackground;
/** `fdatasync` on another thread. It never rejects. */
export const fdatasyncInBackground = addon.fdatasyncInBackground;
/** sync_file_range(2) with SYNC_FILE_RANGE_WRITE, on another thread. It never rejects. */
export const startWritebackInBackground = addon.startWritebackInBackground;

/**
 * For each of the first `count` 4 KiB pages named in `pageIndexes`: computes its CRC-32C with the four bytes at
 * `checksumOffset` taken as zeros, and stores it there, little-endian. Returns 0, or EINVAL with nothing changed.
 */
export const crc32cPages = addon.crc32cPages;
/** Whether a 4 KiB page carries the checksum that `crc32cPages` would store; false for a page outside of `bytes`. */
export const isCrc32cPageValid = addon.isCrc32cPageValid;

/** sched_getaffinity(2) of the calling thread: bit n of the mask is CPU n. Returns the bytes of the mask that count. */
export const getAffinity = addon.getAffinity;
/** sched_setaffinity(2) of the calling thread. Threads and processes that it starts from then on begin with the same. */
export const setAffinity = addon.setAffinity;

/** Below this the table in JavaScript is faster: calling the addon costs about 70 ns, and a table step 5 ns (Node 20). */
const HARDWARE_BYTES_MIN = 64;

/** The CRC-32C of `length` bytes at `offset`. To go on after other bytes, pass their checksum as `seed`. */
export const crc32c = (bytes: Uint8Array, offset: number, length: number, seed = 0): number =>
  length < HARDWARE_BYTES_MIN ? crc32cByTable(bytes, offset, length, seed) : addon.crc32c(bytes, offset, length, seed);

/** A callback on the event loop while a descriptor is readable. */
export interface ReadableWatch {
  /** Begins to call. Once is enough: the callback is called on each turn of the loop while there is something to read. */
  start(): void;
  stop(): void;
  /** Ends the watch. Close it before the descriptor. Closing twice is harmless. */
  close(): void;
}

/**
 * Watches a descriptor, which becomes O_NONBLOCK. The callback gets 0 when it is readable, or a negative errno once when the
 * descriptor has failed (for /dev/fuse: the mount is gone), after which it is not called again. A started watch keeps the
 * process alive. Returns a negative errno for a descriptor that cannot be watched.
 */
export const watchReadable = (fd: number, callback: (status: number) => void): ReadableWatch | number => {
  const handle = addon.watchReadable(fd, callback);
  if (typeof handle === 'number') return handle;
  return {
    start: () => void addon.startWatch(handle),
    stop: () => void addon.stopWatch(handle),
    close: () => addon.closeWatch(handle),
  };
};

const timeNow = new Float64Array(2);

/**
 * The present by the clock that the kernel stamps inodes with (CLOCK_REALTIME_COARSE): seconds since 1970, and nanoseconds, which move
 * with the ticks of a timer, some milliseconds apart.
 */
export function inodeTime(): { readonly seconds: number; readonly nanoseconds: number } {
  addon.inodeTime(timeNow);
  return { seconds: timeNow[0], nanoseconds: timeNow[1] };
}
