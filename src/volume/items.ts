/**
 * The items of the trees: which kinds there are, their keys, and their values in 32-bit words.
 *
 * Each volume and each snapshot is a tree of its own:
 *
 *   object   kind        minor                value
 *   inode    INODE       0                    inode record (inode.ts), 112 bytes
 *   inode    XATTR       name hash            addresses of name and value in the string table, 16 bytes
 *   inode    DIRENT      name hash            child inode, address of the name, type (DT_*): 20 bytes
 *   inode    SYMLINK     0                    address of the target in the string table, 8 bytes
 *   inode    EXTENT      0                    address of the data in the packs, 8 bytes
 *   inode    PART        last chunk           chunks of the file that are in another blob than its own: that blob, and how many
 *                                             chunks of 64 KiB up to this one: 12 bytes
 *   0        ORPHAN      inode                empty: an inode without a name, whose last user may still be there; a directory that
 *                                             has entries is a removed tree, to be swept (apply/removed-trees.ts)
 *   0        QUOTA       group                a directory's quota, and what its group uses (quota-record.ts), 40 bytes
 *
 * The catalog is the tree that says which volumes and snapshots there are, and keeps what belongs to the store as a whole:
 *
 *   0        DEAD_BLOB   blob                 empty: a blob to be deleted once the checkpoint that says so is durable
 *   0        SEGMENT     arena × 2^32 + index live bytes of an arena segment, 8 bytes; arena 0: strings, 1: packs
 *   0        REQUESTS    0 to 3               64 numbers of requests applied last (applied-requests.ts), 8 bytes each
 *   0        DATASET     dataset              record of a volume or snapshot (dataset.ts), 72 bytes
 *   0        SHARED_*    address or blob      leaves beyond the first that point to it (record-references.ts), 4 bytes
 *   0        DYING       page                 references to the page, and to what only it reaches, to be given up (reaper.ts), 4 bytes
 *
 * In stores of format 1 the only volume's tree has the first three of these itself.
 *
 * A name hash is 47 bits of hash and 5 bits that tell apart names with the same hash (name-hash.ts). Directory cookies are made
 * of it, so it stays the same as long as the entry does. Values of two words have the low word first.
 */
export const KIND_INODE = 1;
export const KIND_XATTR = 2;
export const KIND_DIRENT = 3;
export const KIND_SYMLINK = 4;
export const KIND_EXTENT = 5;
export const KIND_PART = 6;
export const KIND_ORPHAN = 16;
export const KIND_DEAD_BLOB = 17;
export const KIND_SEGMENT = 18;
export const KIND_REQUESTS = 19;
export const KIND_DATASET = 20;
export const KIND_SHARED_STRING = 21;
export const KIND_SHARED_EXTENT = 22;
export const KIND_SHARED_BLOB = 23;
export const KIND_DYING = 24;
export const KIND_QUOTA = 25;

/** The object to which the items belong that are not those of an inode. */
export const VOLUME_OBJECT = 0;

export const XATTR_BYTES = 16;
export const DIRENT_BYTES = 20;
export const ADDRESS_BYTES = 8;
export const PART_BYTES = 12;
export const SEGMENT_BYTES = 8;
export const DATASET_BYTES = 72;
export const SHARED_BYTES = 4;
export const DYING_BYTES = 4;
/** Bytes of a chunk, the unit of PART items. */
export const CHUNK_BYTES = 64 * 1024;
/** Request numbers in one REQUESTS item. */
export const REQUESTS_PER_ITEM = 64;
export const REQUESTS_BYTES = REQUESTS_PER_ITEM * 8;

export const ARENA_STRINGS = 0;
export const ARENA_PACKS = 1;

const WORD = 0x1_0000_0000;

export const segmentMinor = (arena: number, index: number): number => arena * WORD + index;

export const readU64 = (words: Uint32Array, at: number): number => words[at + 1] * WORD + words[at];

export function writeU64(words: Uint32Array, at: number, value: number): void {
  words[at] = value >>> 0;
  words[at + 1] = Math.floor(value / WORD);
}

export const readI64 = (words: Uint32Array, at: number): number => (words[at + 1] | 0) * WORD + words[at];

export function writeI64(words: Uint32Array, at: number, value: number): void {
  words[at] = value >>> 0;
  words[at + 1] = Math.floor(value / WORD) >>> 0;
}
