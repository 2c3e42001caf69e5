/**
 * Attributes and figures of the file system in the form that fuse-native takes them, with what that form cannot hold.
 */
import type { Attributes } from '../filesystem/attributes.js';
import type { FileSystemStatistics } from '../filesystem/operations.js';
import type { Stat, StatFs } from './package.js';

const MILLISECONDS_PER_SECOND = 1000;
const NANOSECONDS_PER_MILLISECOND = 1_000_000;
/** What st_blksize advises: a write of libfuse 2. */
const PREFERRED_BYTES = 131_072;
const U32_MAX = 0xffff_ffff;

/** Milliseconds since 1970, rounded down. Earlier times are shown as 1970: the package takes them without a sign. */
const milliseconds = (seconds: number, nanoseconds: number): number =>
  Math.max(0, seconds * MILLISECONDS_PER_SECOND + Math.floor(nanoseconds / NANOSECONDS_PER_MILLISECOND));

export const statOf = (attributes: Attributes): Stat => ({
  mode: attributes.mode,
  uid: attributes.uid,
  gid: attributes.gid,
  size: attributes.size,
  nlink: attributes.nlink,
  ino: attributes.ino,
  rdev: attributes.rdev,
  blksize: PREFERRED_BYTES,
  blocks: attributes.blocks,
  atime: milliseconds(attributes.atimeSeconds, attributes.atimeNanoseconds),
  mtime: milliseconds(attributes.mtimeSeconds, attributes.mtimeNanoseconds),
  ctime: milliseconds(attributes.ctimeSeconds, attributes.ctimeNanoseconds),
});

/** A directory entry: libfuse passes on the type and the inode number only. */
export const entryStat = (ino: number, direntType: number): Stat => ({
  mode: direntType << 12,
  ino,
  uid: 0,
  gid: 0,
  size: 0,
  nlink: 1,
  rdev: 0,
  blksize: 0,
  blocks: 0,
  atime: 0,
  mtime: 0,
  ctime: 0,
});

/** Seconds and nanoseconds of a time in milliseconds, which may be before 1970. */
export function timeOf(timeMs: number): { readonly seconds: number; readonly nanoseconds: number } {
  const seconds = Math.floor(timeMs / MILLISECONDS_PER_SECOND);
  return { seconds, nanoseconds: (timeMs - seconds * MILLISECONDS_PER_SECOND) * NANOSECONDS_PER_MILLISECOND };
}

/** In blocks so large that their number fits 32 bits. */
export function statFsOf(statistics: FileSystemStatistics): StatFs {
  let scale = 1;
  while (statistics.blocks / scale > U32_MAX) {
    scale *= 2;
  }
  const scaled = (blocks: number): number => Math.floor(blocks / scale);
  const files = (count: number): number => Math.min(count, U32_MAX);
  return {
    bsize: statistics.blockSize * scale,
    frsize: statistics.blockSize * scale,
    blocks: scaled(statistics.blocks),
    bfree: scaled(statistics.blocksFree),
    bavail: scaled(statistics.blocksAvailable),
    files: files(statistics.files),
    ffree: files(statistics.filesFree),
    favail: files(statistics.filesFree),
    namemax: statistics.nameLengthMax,
  };
}
