/**
 * The inode record, the value of an INODE item: 28 words of 32 bits, those of two words with the low word first.
 *
 *   word   field                     word   field
 *      0   mode                     11-12   mtime, seconds
 *      1   nlink                    13      mtime, nanoseconds
 *      2   uid                      14-15   ctime, seconds
 *      3   gid                      16      ctime, nanoseconds
 *      4   rdev                     17-18   btime, seconds
 *      5   storage (8 bits), bit 8:    19      btime, nanoseconds
 *          transplanted; above it
 *          the quota group
 *    6-7   size in bytes            20-21   blob, of a regular file with storage BLOB or PARTS
 *    8-9   atime, seconds           22-23   parent; of a file with several names one of those, or 0
 *     10   atime, nanoseconds       24      extended attributes
 *                                   25      entries, of a directory
 *                                26-27      minor key of its entry in the parent; 0 where it is not known
 *
 * Format 1 has parents for directories only, and no keys of entries.
 *
 * Seconds are signed and count from 1970. In memory it is one reusable object, so that a request allocates nothing.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asBlobId, asIno, type BlobId, type Ino, NO_BLOB } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { KIND_INODE, readI64, readU64, writeI64, writeU64 } from './items.js';

export const INODE_BYTES = 112;
/** Words of the record that are looked at without loading it. */
export const STORAGE_WORD = 5;
export const STORAGE_MASK = 0xff;
export const BLOB_WORD = 20;
const TRANSPLANTED = 0x100;
const QUOTA_SHIFT = 9;

/** Where the data of a regular file is. */
export const STORAGE_NONE = 0;
export const STORAGE_PACK = 1;
export const STORAGE_BLOB = 2;
/** A blob of its own, and PART items for chunks that are in others. */
export const STORAGE_PARTS = 3;

/** Whether a file with this storage has a blob of its own. */
export const hasBlob = (storage: number): boolean => storage === STORAGE_BLOB || storage === STORAGE_PARTS;

/** A point in time: seconds since 1970, may be negative, and nanoseconds from 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Splits milliseconds since 1970. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  const nanoseconds = Math.min(999_999_999, Math.floor((milliseconds - seconds * 1000) * 1e6));
  return { seconds, nanoseconds };
}

export class Inode {
  ino: Ino = asIno(0);
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  rdev = 0;
  storage = STORAGE_NONE;
  /** Its names and data are records that were made for another inode (transplant.ts). */
  isTransplanted = false;
  /** The directory quota that it counts for (quota-groups.ts); 0 for none. */
  quotaGroup = 0;
  size = 0;
  atimeSeconds = 0;
  atimeNanoseconds = 0;
  mtimeSeconds = 0;
  mtimeNanoseconds = 0;
  ctimeSeconds = 0;
  ctimeNanoseconds = 0;
  btimeSeconds = 0;
  btimeNanoseconds = 0;
  blob: BlobId = NO_BLOB;
  parent: Ino = asIno(0);
  xattrs = 0;
  entries = 0;
  nameMinor = 0;

  /** Reads the record of `ino`; false when there is no such inode. */
  load(tree: Tree, ino: Ino): boolean {
    if (!tree.find(ino, KIND_INODE, 0)) return false;
    this.read(tree, ino);
    return true;
  }

  /** Reads the record of `ino`, at which the tree's position is. Throws CorruptionError. */
  read(tree: Tree, ino: Ino): void {
    if (tree.valueLength !== INODE_BYTES)
      throw new CorruptionError(`inode ${ino}`, `a record of ${tree.valueLength} bytes`);
    const { words, valueWord: at } = tree;
    this.ino = ino;
    this.mode = words[at];
    this.nlink = words[at + 1];
    this.uid = words[at + 2];
    this.gid = words[at + 3];
    this.rdev = words[at + 4];
    this.storage = words[at + STORAGE_WORD] & STORAGE_MASK;
    this.isTransplanted = (words[at + STORAGE_WORD] & TRANSPLANTED) !== 0;
    this.quotaGroup = words[at + STORAGE_WORD] >>> QUOTA_SHIFT;
    this.size = readU64(words, at + 6);
    this.atimeSeconds = readI64(words, at + 8);
    this.atimeNanoseconds = words[at + 10];
    this.mtimeSeconds = readI64(words, at + 11);
    this.mtimeNanoseconds = words[at + 13];
    this.ctimeSeconds = readI64(words, at + 14);
    this.ctimeNanoseconds = words[at + 16];
    this.btimeSeconds = readI64(words, at + 17);
    this.btimeNanoseconds = words[at + 19];
    this.blob = asBlobId(readU64(words, at + BLOB_WORD));
    this.parent = asIno(readU64(words, at + 22));
    this.xattrs = words[at + 24];
    this.entries = words[at + 25];
    this.nameMinor = readU64(words, at + 26);
  }

  /** Writes the record over the one that is there. */
  store(tree: Tree): void {
    if (!tree.modify(this.ino, KIND_INODE, 0)) throw new CorruptionError(`inode ${this.ino}`, 'missing');
    this.#write(tree);
  }

  /** Adds the record as a new inode. */
  insert(tree: Tree): void {
    tree.insert(this.ino, KIND_INODE, 0, INODE_BYTES);
    this.#write(tree);
  }

  #write(tree: Tree): void {
    const { words, valueWord: at } = tree;
    words[at] = this.mode;
    words[at + 1] = this.nlink;
    words[at + 2] = this.uid;
    words[at + 3] = this.gid;
    words[at + 4] = this.rdev;
    words[at + STORAGE_WORD] =
      ((this.quotaGroup << QUOTA_SHIFT) | (this.isTransplanted ? TRANSPLANTED : 0) | this.storage) >>> 0;
    writeU64(words, at + 6, this.size);
    writeI64(words, at + 8, this.atimeSeconds);
    words[at + 10] = this.atimeNanoseconds;
    writeI64(words, at + 11, this.mtimeSeconds);
    words[at + 13] = this.mtimeNanoseconds;
    writeI64(words, at + 14, this.ctimeSeconds);
    words[at + 16] = this.ctimeNanoseconds;
    writeI64(words, at + 17, this.btimeSeconds);
    words[at + 19] = this.btimeNanoseconds;
    writeU64(words, at + BLOB_WORD, this.blob);
    writeU64(words, at + 22, this.parent);
    words[at + 24] = this.xattrs;
    words[at + 25] = this.entries;
    writeU64(words, at + 26, this.nameMinor);
  }

  setAtime(time: Timestamp): void {
    this.atimeSeconds = time.seconds;
    this.atimeNanoseconds = time.nanoseconds;
  }

  setMtime(time: Timestamp): void {
    this.mtimeSeconds = time.seconds;
    this.mtimeNanoseconds = time.nanoseconds;
  }

  setCtime(time: Timestamp): void {
    this.ctimeSeconds = time.seconds;
    this.ctimeNanoseconds = time.nanoseconds;
  }

  /** The content changed: mtime and ctime. */
  setChanged(time: Timestamp): void {
    this.setMtime(time);
    this.setCtime(time);
  }
}
