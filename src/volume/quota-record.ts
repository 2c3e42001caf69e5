/**
 * The record of a directory's quota, the value of a QUOTA item whose minor key is the number of its group: 10 words of 32 bits, those
 * of two words with the low word first.
 *
 *   word   field
 *    0-1   the directory that the quota is on, an inode
 *    2-3   limit of bytes; 0 for none
 *    4-5   limit of inodes; 0 for none
 *    6-7   bytes used: the sizes of the group's regular files
 *    8-9   inodes used, the directory included
 *
 * Sizes add up modulo 2^64, which sparse files do not reach: a volume has no more than 2^53 bytes of them (filesystem/quotas.ts).
 */
import { asIno, type Ino } from '../store/units.js';
import { readU64, writeU64 } from './items.js';

export const QUOTA_BYTES = 40;
/** Numbers of groups are below this (inode.ts); 0 is for inodes of no group. */
export const QUOTA_GROUPS_MAX = 2 ** 23;

/** What may be used at most; Infinity where there is no limit. */
export interface QuotaLimits {
  readonly bytes: number;
  readonly inodes: number;
}

export const NO_LIMIT = Number.POSITIVE_INFINITY;

export interface QuotaRecord {
  readonly directory: Ino;
  readonly limits: QuotaLimits;
  readonly bytesUsed: number;
  readonly inodesUsed: number;
}

const LIMITS_WORD = 2;
const BYTES_USED_WORD = 6;
const INODES_USED_WORD = 8;
const WORD = 0x1_0000_0000;

/** A limit as the disk and the log have it. */
export const storedLimit = (limit: number): number => (limit === NO_LIMIT ? 0 : limit);
export const limitOf = (stored: number): number => (stored === 0 ? NO_LIMIT : stored);

export const readQuotaRecord = (words: Uint32Array, at: number): QuotaRecord => ({
  directory: asIno(readU64(words, at)),
  limits: {
    bytes: limitOf(readU64(words, at + LIMITS_WORD)),
    inodes: limitOf(readU64(words, at + LIMITS_WORD + 2)),
  },
  bytesUsed: readU64(words, at + BYTES_USED_WORD),
  inodesUsed: readU64(words, at + INODES_USED_WORD),
});

export function writeQuotaLimits(words: Uint32Array, at: number, directory: Ino, limits: QuotaLimits): void {
  writeU64(words, at, directory);
  writeU64(words, at + LIMITS_WORD, storedLimit(limits.bytes));
  writeU64(words, at + LIMITS_WORD + 2, storedLimit(limits.inodes));
}

/** Adds to what is used, or takes from it. Returns false when less than nothing would be used. */
export function addToUsage(words: Uint32Array, at: number, bytes: number, inodes: number): boolean {
  return addU64(words, at + BYTES_USED_WORD, bytes) && addU64(words, at + INODES_USED_WORD, inodes);
}

/** Exact where a JavaScript number is not. */
function addU64(words: Uint32Array, at: number, change: number): boolean {
  const low = words[at] + (change >>> 0);
  const high = words[at + 1] + Math.floor(change / WORD) + (low >= WORD ? 1 : 0);
  words[at] = low;
  words[at + 1] = high;
  return high >= 0;
}
