/**
 * Reads inode records for checking and repair, and the rules for a record by itself (layout: volume/inode.ts).
 */
import { hasBlob, INODE_BYTES, STORAGE_MASK, STORAGE_NONE, STORAGE_PARTS, STORAGE_WORD } from '../volume/inode.js';
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
import { entryHash } from './inode-table.js';

export const INODE_WORDS = INODE_BYTES / 4;
export const NANOSECOND_WORDS: readonly number[] = [10, 13, 16, 19];
export const PARENT_WORD = 22;
export const NAME_MINOR_WORD = 26;
/** In the word with the storage: the bit that says so, and where the number of the quota group begins. */
export const TRANSPLANTED = 0x100;
export const QUOTA_SHIFT = 9;
const NANOSECONDS_PER_SECOND = 1_000_000_000;
const TYPES: readonly number[] = [S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK];
const MODE_MAX = 0o177777;

/** The fields that a check looks at. */
export interface InodeRecord {
  readonly mode: number;
  readonly nlink: number;
  readonly storage: number;
  readonly isTransplanted: boolean;
  /** The quota that it counts for; 0 for none. */
  readonly quotaGroup: number;
  readonly size: number;
  readonly blob: number;
  readonly parent: number;
  readonly xattrs: number;
  readonly entries: number;
  readonly nameMinor: number;
}

export const readRecord = (words: Uint32Array, at: number): InodeRecord => ({
  mode: words[at],
  nlink: words[at + 1],
  storage: words[at + STORAGE_WORD] & STORAGE_MASK,
  isTransplanted: (words[at + STORAGE_WORD] & TRANSPLANTED) !== 0,
  quotaGroup: words[at + STORAGE_WORD] >>> QUOTA_SHIFT,
  size: readU64(words, at + 6),
  blob: readU64(words, at + 20),
  parent: readU64(words, at + 22),
  xattrs: words[at + 24],
  entries: words[at + 25],
  nameMinor: readU64(words, at + NAME_MINOR_WORD),
});

/** The `entryHash` of what an inode says is its name, or 0. */
export function hintOf(words: Uint32Array, at: number): number {
  const { mode, parent, nameMinor } = readRecord(words, at);
  // Directories of format 1 know their parents, but not the entries.
  const isHint = isDirectory(mode) ? nameMinor !== 0 : parent !== 0 || nameMinor !== 0;
  return isHint ? entryHash(parent, nameMinor) : 0;
}

export const hasValidType = (mode: number): boolean => mode <= MODE_MAX && TYPES.includes(mode & S_IFMT);

/** What is wrong with a record without looking at anything else: each problem by itself. */
export function recordProblems(words: Uint32Array, at: number): string[] {
  const { mode, storage, size, blob, entries } = readRecord(words, at);
  const problems: string[] = [];
  if (!hasValidType(mode)) problems.push(`mode ${mode.toString(8)}, which is no type of file`);
  for (const word of NANOSECOND_WORDS) {
    const nanoseconds = words[at + word];
    if (nanoseconds >= NANOSECONDS_PER_SECOND) problems.push(`a time with ${nanoseconds} nanoseconds`);
  }
  if (size > Number.MAX_SAFE_INTEGER) problems.push('a size out of range');
  else if (size > 0 && !isRegular(mode) && !isSymlink(mode)) problems.push(`a size of ${size} bytes`);
  if (storage > STORAGE_PARTS) problems.push(`data in place ${storage}, which does not exist`);
  else if (storage !== STORAGE_NONE && !isRegular(mode)) problems.push('data, though it is not a regular file');
  if (!hasBlob(storage) && blob !== 0) problems.push(`blob ${blob}, though its data is not in a blob`);
  if (!isDirectory(mode) && entries !== 0) problems.push(`${entries} entries, though it is not a directory`);
  return problems;
}
