/**
 * One reply to the kernel, written in place into the buffer that the device takes: a fuse_out_header, then the payload.
 *
 * The writers below put their struct at a byte offset of the buffer (a multiple of 8) and set every byte of it, as buffers
 * are used again and again.
 */
import type { Attributes } from '../filesystem/attributes.js';
import type { FileSystemStatistics } from '../filesystem/operations.js';
import { STATX_BASIC_STATS, STATX_BTIME } from './abi.js';
import {
  fuse_attr,
  fuse_attr_out,
  fuse_entry_out,
  fuse_kstatfs,
  fuse_open_out,
  fuse_out_header,
  fuse_statx,
  fuse_statx_out,
  fuse_sx_time,
} from './abi-structs.js';

/** Where the payload begins. */
export const PAYLOAD = fuse_out_header.sizeof;

/**
 * How long the kernel may believe a name or attributes, in seconds: for ever, as they change only through this mount. The
 * kernel cuts larger numbers to what its jiffies hold; this is 68 years.
 */
const VALID_SECONDS = 0x7fff_ffff;

/** The size of I/O that suits (st_blksize), in bytes. */
const PREFERRED_BYTES = 4096;

const WORD = 0x1_0000_0000;
const ENTRY_ATTR = fuse_entry_out.attr;

export class Reply {
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;

  /** `capacity` in bytes, a multiple of 8. */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.#words = new Uint32Array(this.bytes.buffer);
  }

  /** Writes the header of a message of `payloadLength` bytes of payload; returns the length of the whole. */
  header(uniqueLow: number, uniqueHigh: number, error: number, payloadLength: number): number {
    const words = this.#words;
    const length = PAYLOAD + payloadLength;
    words[0] = length;
    words[1] = -error;
    words[2] = uniqueLow;
    words[3] = uniqueHigh;
    return length;
  }

  u32(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  /** Writes an integer of at most 2^53 in size as 64 bits, in two's complement. */
  u64(at: number, value: number): void {
    this.#words[at >> 2] = value;
    this.#words[(at >> 2) + 1] = Math.floor(value / WORD);
  }

  zero(at: number, length: number): void {
    this.bytes.fill(0, at, at + length);
  }

  /** A fuse_attr. Words are counted by hand here, as it is the most frequent thing there is; the order is the struct's. */
  attributes(at: number, attributes: Attributes): void {
    const words = this.#words;
    const first = at >> 2;
    this.u64(at + fuse_attr.ino, attributes.ino);
    this.u64(at + 8, attributes.size);
    this.u64(at + 16, attributes.blocks);
    this.u64(at + 24, attributes.atimeSeconds);
    this.u64(at + 32, attributes.mtimeSeconds);
    this.u64(at + 40, attributes.ctimeSeconds);
    words[first + 12] = attributes.atimeNanoseconds;
    words[first + 13] = attributes.mtimeNanoseconds;
    words[first + 14] = attributes.ctimeNanoseconds;
    words[first + 15] = attributes.mode;
    words[first + 16] = attributes.nlink;
    words[first + 17] = attributes.uid;
    words[first + 18] = attributes.gid;
    words[first + 19] = attributes.rdev;
    words[first + 20] = PREFERRED_BYTES;
    words[first + 21] = 0;
  }

  /** A fuse_entry_out. The generation is always 0: inode numbers are never used again. */
  entry(at: number, attributes: Attributes): void {
    const words = this.#words;
    const first = at >> 2;
    this.u64(at, attributes.ino);
    words[first + 2] = 0;
    words[first + 3] = 0;
    words[first + 4] = VALID_SECONDS;
    words[first + 5] = 0;
    words[first + 6] = VALID_SECONDS;
    words[first + 7] = 0;
    words[first + 8] = 0;
    words[first + 9] = 0;
    this.attributes(at + ENTRY_ATTR, attributes);
  }

  /** A fuse_entry_out that lets the kernel remember that there is no such name (nodeid 0). */
  negativeEntry(at: number): void {
    this.zero(at, fuse_entry_out.sizeof);
    this.u32(at + fuse_entry_out.entry_valid, VALID_SECONDS);
  }

  /** A fuse_entry_out that says nothing but the type and inode number, which the kernel does not keep (nodeid 0). */
  unlinkedEntry(at: number, ino: number, mode: number): void {
    this.zero(at, fuse_entry_out.sizeof);
    this.u64(at + ENTRY_ATTR + fuse_attr.ino, ino);
    this.u32(at + ENTRY_ATTR + fuse_attr.mode, mode);
  }

  /** A fuse_attr_out. */
  attributesReply(at: number, attributes: Attributes): void {
    this.u64(at + fuse_attr_out.attr_valid, VALID_SECONDS);
    this.u64(at + fuse_attr_out.attr_valid_nsec, 0);
    this.attributes(at + fuse_attr_out.attr, attributes);
  }

  /** A fuse_open_out without a handle: files are known by their inode number alone. */
  open(at: number, openFlags: number): void {
    this.zero(at, fuse_open_out.sizeof);
    this.u32(at + fuse_open_out.open_flags, openFlags);
  }

  /** A fuse_statx_out: all that stat(2) shows, and the time of creation. */
  statx(at: number, attributes: Attributes): void {
    this.zero(at, fuse_statx_out.sizeof);
    this.u64(at + fuse_statx_out.attr_valid, VALID_SECONDS);
    const stat = at + fuse_statx_out.stat;
    this.u32(stat + fuse_statx.mask, STATX_BASIC_STATS | STATX_BTIME);
    this.u32(stat + fuse_statx.blksize, PREFERRED_BYTES);
    this.u32(stat + fuse_statx.nlink, attributes.nlink);
    this.u32(stat + fuse_statx.uid, attributes.uid);
    this.u32(stat + fuse_statx.gid, attributes.gid);
    this.u32(stat + fuse_statx.mode, attributes.mode & 0xffff);
    this.u64(stat + fuse_statx.ino, attributes.ino);
    this.u64(stat + fuse_statx.size, attributes.size);
    this.u64(stat + fuse_statx.blocks, attributes.blocks);
    this.#statxTime(stat + fuse_statx.atime, attributes.atimeSeconds, attributes.atimeNanoseconds);
    this.#statxTime(stat + fuse_statx.btime, attributes.btimeSeconds, attributes.btimeNanoseconds);
    this.#statxTime(stat + fuse_statx.ctime, attributes.ctimeSeconds, attributes.ctimeNanoseconds);
    this.#statxTime(stat + fuse_statx.mtime, attributes.mtimeSeconds, attributes.mtimeNanoseconds);
    // new_encode_dev: the minor number's low byte, 12 bits of the major number, the rest of the minor number.
    this.u32(stat + fuse_statx.rdev_major, (attributes.rdev >>> 8) & 0xfff);
    this.u32(stat + fuse_statx.rdev_minor, (attributes.rdev & 0xff) | ((attributes.rdev >>> 12) & 0xfff00));
  }

  #statxTime(at: number, seconds: number, nanoseconds: number): void {
    this.u64(at + fuse_sx_time.tv_sec, seconds);
    this.u32(at + fuse_sx_time.tv_nsec, nanoseconds);
  }

  /** A fuse_kstatfs. */
  statistics(at: number, statistics: FileSystemStatistics): void {
    this.zero(at, fuse_kstatfs.sizeof);
    this.u64(at + fuse_kstatfs.blocks, statistics.blocks);
    this.u64(at + fuse_kstatfs.bfree, statistics.blocksFree);
    this.u64(at + fuse_kstatfs.bavail, statistics.blocksAvailable);
    this.u64(at + fuse_kstatfs.files, statistics.files);
    this.u64(at + fuse_kstatfs.ffree, statistics.filesFree);
    this.u32(at + fuse_kstatfs.bsize, statistics.blockSize);
    this.u32(at + fuse_kstatfs.namelen, statistics.nameLengthMax);
    this.u32(at + fuse_kstatfs.frsize, statistics.blockSize);
  }
}
