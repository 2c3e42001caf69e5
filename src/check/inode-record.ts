/**
 * Reads inode records for checking and repair, and the rules for a record by itself (layout: volume/inode.ts).
 */
import { INODE_BYTES, STORAGE_BLOB, STORAGE_NONE } from '../volume/inode.js';
import { readU64 } from '../volume/items.js';
import {
  isDirectory,
  isRegular,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../volume/mode.js';

export const INODE_WORDS = INODE_BYTES / 4;
export const NANOSECOND_WORDS: readonly number[] = [10, 13, 16, 19];
const NANOSECONDS_PER_SECOND = 1_000_000_000;
const TYPES: readonly number[] = [S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK];
const MODE_MAX = 0o177777;

/** The fields that a check looks at. */
export interface InodeRecord {
  readonly mode: number;
  readonly nlink: number;
  readonly storage: number;
  readonly size: number;
  readonly blob: number;
  readonly parent: number;
  readonly xattrs: number;
  readonly entries: number;
}

export const readRecord = (words: Uint32Array, at: number): InodeRecord => ({
  mode: words[at],
  nlink: words[at + 1],
  storage: words[at + 5],
  size: readU64(words, at + 6),
  blob: readU64(words, at + 20),
  parent: readU64(words, at + 22),
  xattrs: words[at + 24],
  entries: words[at + 25],
});

export const hasValidType = (mode: number): boolean => mode <= MODE_MAX && TYPES.includes(mode & S_IFMT);

/** What is wrong with a record without looking at anything else: each problem by itself. */
export function recordProblems(words: Uint32Array, at: number): string[] {
  const { mode, storage, size, blob, parent, entries } = readRecord(words, at);
  const problems: string[] = [];
  if (!hasValidType(mode)) problems.push(`mode ${mode.toString(8)}, which is no type of file`);
  for (const word of NANOSECOND_WORDS) {
    const nanoseconds = words[at + word];
    if (nanoseconds >= NANOSECONDS_PER_SECOND) problems.push(`a time with ${nanoseconds} nanoseconds`);
  }
  if (size > Number.MAX_SAFE_INTEGER) problems.push('a size out of range');
  else if (size > 0 && !isRegular(mode) && !isSymlink(mode)) problems.push(`a size of ${size} bytes`);
  if (storage > STORAGE_BLOB) problems.push(`data in place ${storage}, which does not exist`);
  else if (storage !== STORAGE_NONE && !isRegular(mode)) problems.push('data, though it is not a regular file');
  if (storage !== STORAGE_BLOB && blob !== 0) problems.push(`blob ${blob}, though its data is not in a blob`);
  if (!isDirectory(mode) && parent !== 0) problems.push(`parent ${parent}, though it is not a directory`);
  if (!isDirectory(mode) && entries !== 0) problems.push(`${entries} entries, though it is not a directory`);
  if (words[at + 26] !== 0 || words[at + 27] !== 0) problems.push('bytes that should be zero');
  return problems;
}
