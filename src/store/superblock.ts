/**
 * The superblock: two slots of 4 KiB in the file `superblock`, written alternately (slot = sequence mod 2), so that a torn write
 * leaves the other one whole. The valid slot with the higher sequence number counts.
 *
 *   byte  size  field
 *      0     4  crc32c of the slot, with this field taken as zero
 *      4     8  magic "RAZORFS\0"
 *     12     4  format version
 *     16    16  uuid of the store
 *     32     8  sequence: one more at each superblock write
 *     40     8  epoch of the checkpoint that this superblock describes
 *     48     8  LSN: the log from here on is not part of the checkpoint
 *     56     8  page number of the root of the catalog (format 1: of the only tree)
 *     64     8  capacity of nodes.dat, in pages
 *     72     8  end of the string table, an address
 *     80     8  end of the packs, an address
 *     88     8  next inode number
 *     96     8  next blob number
 *    104     8  inodes in use by volumes, at the checkpoint
 *    112     8  mounts so far
 *    120     8  time of mkfs, milliseconds since 1970
 *    128     4  flags: bit 0 clean (unmounted properly: the log is empty)
 *    132     4  log2 of the bytes of a nodes.dat segment
 *    136     4  log2 of the bytes of a string table or pack segment
 *    140     4  log2 of the bytes of a log segment
 *    144    16  boot id of the host that mounted the store last
 *    160    64  label, UTF-8, padded with zeros
 *    224     8  sizes of all regular files of volumes, bytes; with huge sparse files it may exceed what is exact
 *    232     8  next dataset number (format 1: 0)
 *    240     8  records that more than one leaf points to (format 1: 0)
 *    248        zeros to the end
 *
 * A slot is valid if and only if checksum and magic are right, the version is known, and every field is in its range.
 */
import { CorruptionError } from '../errors/corruption.js';
import { StoreError } from '../errors/store-error.js';
import { crc32c } from '../native/addon.js';
import type { Disk, DiskFile } from './disk.js';
import { type Geometry, isUsableGeometry, PAGE_SIZE } from './geometry.js';
import {
  type Address,
  asAddress,
  asBlobId,
  asDatasetId,
  asEpoch,
  asIno,
  asLsn,
  asPageNumber,
  type BlobId,
  type DatasetId,
  type Epoch,
  type Ino,
  type Lsn,
  type PageNumber,
} from './units.js';

export const SUPERBLOCK_NAME = 'superblock';
export const FORMAT_VERSION = 2;
/** Stores of this format have one volume, whose tree holds what the catalog holds now. */
export const FORMAT_WITHOUT_CATALOG = 1;
export const LABEL_BYTES_MAX = 64;
const MAGIC = Buffer.from('RAZORFS\0', 'latin1');
const FLAG_CLEAN = 1;
/** Where the 64-bit numbers are, in the order of the table. */
const NUMBER_OFFSETS = [32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 232, 240];
const DATA_BYTES_OFFSET = 224;

/** More than any store comes to, and so far below 2^53 that counting on from it stays exact. */
const NUMBER_MAX = 2n ** 52n;

export interface Superblock {
  /** 32 hexadecimal digits. */
  readonly uuid: string;
  readonly label: string;
  readonly geometry: Geometry;
  readonly version: number;
  readonly sequence: number;
  readonly epoch: Epoch;
  readonly lsn: Lsn;
  readonly root: PageNumber;
  readonly nodesCapacity: number;
  readonly stringsEnd: Address;
  readonly packsEnd: Address;
  readonly nextIno: Ino;
  readonly nextBlob: BlobId;
  readonly inodes: number;
  readonly dataBytes: number;
  readonly mountCount: number;
  readonly createdMs: number;
  readonly nextDataset: DatasetId;
  readonly sharedRecords: number;
  readonly clean: boolean;
  /** 32 hexadecimal digits. */
  readonly bootId: string;
}

export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const slot = Buffer.alloc(PAGE_SIZE);
  MAGIC.copy(slot, 4);
  slot.writeUInt32LE(superblock.version, 12);
  slot.write(superblock.uuid, 16, 16, 'hex');
  const numbers = [
    superblock.sequence,
    superblock.epoch,
    superblock.lsn,
    superblock.root,
    superblock.nodesCapacity,
    superblock.stringsEnd,
    superblock.packsEnd,
    superblock.nextIno,
    superblock.nextBlob,
    superblock.inodes,
    superblock.mountCount,
    superblock.createdMs,
    superblock.nextDataset,
    superblock.sharedRecords,
  ];
  numbers.forEach((value, index) => {
    slot.writeBigUInt64LE(BigInt(value), NUMBER_OFFSETS[index]);
  });
  const dataBytes = Math.min(Math.max(0, superblock.dataBytes), Number.MAX_SAFE_INTEGER);
  slot.writeBigUInt64LE(BigInt(dataBytes), DATA_BYTES_OFFSET);
  slot.writeUInt32LE(superblock.clean ? FLAG_CLEAN : 0, 128);
  slot.writeUInt32LE(Math.log2(superblock.geometry.nodesSegmentBytes), 132);
  slot.writeUInt32LE(Math.log2(superblock.geometry.arenaSegmentBytes), 136);
  slot.writeUInt32LE(Math.log2(superblock.geometry.logSegmentBytes), 140);
  slot.write(superblock.bootId, 144, 16, 'hex');
  slot.write(superblock.label, 160, LABEL_BYTES_MAX, 'utf8');
  slot.writeUInt32LE(crc32c(slot, 4, PAGE_SIZE - 4), 0);
  return slot;
}

/** What a slot holds: a superblock, the version of a newer format, or the reason why it is not valid. */
export type SlotContent =
  | { readonly kind: 'valid'; readonly superblock: Superblock }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'invalid'; readonly reason: string };

export function decodeSuperblock(bytes: Uint8Array): SlotContent {
  const slot = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (slot.length < PAGE_SIZE) return { kind: 'invalid', reason: 'shorter than a slot' };
  if (slot.compare(MAGIC, 0, 8, 4, 12) !== 0) return { kind: 'invalid', reason: 'no magic' };
  if (slot.readUInt32LE(0) !== crc32c(slot, 4, PAGE_SIZE - 4)) {
    return { kind: 'invalid', reason: 'checksum does not match' };
  }
  const version = slot.readUInt32LE(12);
  if (version > FORMAT_VERSION) return { kind: 'newer', version };
  if (version === 0) return { kind: 'invalid', reason: 'format version 0' };
  const numbers: number[] = [];
  for (const offset of NUMBER_OFFSETS) {
    const value = slot.readBigUInt64LE(offset);
    if (value > NUMBER_MAX) return { kind: 'invalid', reason: `byte ${offset} is out of range` };
    numbers.push(Number(value));
  }
  const logarithms = [slot.readUInt32LE(132), slot.readUInt32LE(136), slot.readUInt32LE(140)];
  const geometry: Geometry = {
    nodesSegmentBytes: 2 ** logarithms[0],
    arenaSegmentBytes: 2 ** logarithms[1],
    logSegmentBytes: 2 ** logarithms[2],
  };
  if (!isUsableGeometry(geometry)) return { kind: 'invalid', reason: 'segment sizes out of range' };
  const superblock: Superblock = {
    version,
    uuid: slot.toString('hex', 16, 32),
    label: slot.toString('utf8', 160, 160 + LABEL_BYTES_MAX).replace(/\0+$/, ''),
    geometry,
    sequence: numbers[0],
    epoch: asEpoch(numbers[1]),
    lsn: asLsn(numbers[2]),
    root: asPageNumber(numbers[3]),
    nodesCapacity: numbers[4],
    stringsEnd: asAddress(numbers[5]),
    packsEnd: asAddress(numbers[6]),
    nextIno: asIno(numbers[7]),
    nextBlob: asBlobId(numbers[8]),
    inodes: numbers[9],
    mountCount: numbers[10],
    createdMs: numbers[11],
    nextDataset: asDatasetId(numbers[12]),
    sharedRecords: numbers[13],
    dataBytes: Number(slot.readBigUInt64LE(DATA_BYTES_OFFSET)),
    clean: (slot.readUInt32LE(128) & FLAG_CLEAN) !== 0,
    bootId: slot.toString('hex', 144, 160),
  };
  const { root, nodesCapacity } = superblock;
  if (nodesCapacity > 0xffff_ffff || root === 0 || root >= nodesCapacity) {
    return { kind: 'invalid', reason: `root page ${root} of ${nodesCapacity}` };
  }
  if (superblock.stringsEnd % 8 !== 0 || superblock.packsEnd % 8 !== 0) {
    return { kind: 'invalid', reason: 'end of strings or packs is no address' };
  }
  if (superblock.nextIno < 2 || superblock.nextBlob < 1) return { kind: 'invalid', reason: 'counters out of range' };
  return { kind: 'valid', superblock };
}

/** What the two slots of a superblock file hold. */
export function readSlots(disk: Disk): readonly [SlotContent, SlotContent] {
  const file = disk.open(SUPERBLOCK_NAME, 'read');
  try {
    const read = (index: number): SlotContent => {
      const bytes = new Uint8Array(PAGE_SIZE);
      const length = file.read(bytes, 0, PAGE_SIZE, index * PAGE_SIZE);
      return decodeSuperblock(bytes.subarray(0, length));
    };
    return [read(0), read(1)];
  } finally {
    file.close();
  }
}

/**
 * Picks the superblock that counts. Throws StoreError when the directory holds no store, one of a newer format, or one whose
 * superblocks are both unusable.
 */
export function chooseSuperblock(disk: Disk): Superblock {
  if (!disk.exists(SUPERBLOCK_NAME)) throw new StoreError('not-a-store', 'there is no RazorFS store here');
  const slots = readSlots(disk);
  const newer = slots.find((slot) => slot.kind === 'newer');
  if (newer !== undefined && newer.kind === 'newer') {
    throw new StoreError(
      'newer-format',
      `the store has format ${newer.version}; this version of RazorFS reads formats up to ${FORMAT_VERSION}`,
      'Use the version of RazorFS that wrote it, or a newer one.',
    );
  }
  const valid = slots.flatMap((slot) => (slot.kind === 'valid' ? [slot.superblock] : []));
  if (valid.length === 0) {
    const reasons = slots.map((slot) => (slot.kind === 'invalid' ? slot.reason : ''));
    if (reasons.every((reason) => reason === 'no magic' || reason === 'shorter than a slot')) {
      throw new StoreError('not-a-store', 'its superblock is not one of RazorFS');
    }
    throw new StoreError('unusable-superblock', `both superblocks are unusable (${reasons.join('; ')})`);
  }
  return valid.reduce((best, candidate) => (candidate.sequence > best.sequence ? candidate : best));
}

/** Writes superblocks to their slots. */
export class SuperblockFile {
  readonly #file: DiskFile;

  constructor(disk: Disk, mode: 'create' | 'write') {
    this.#file = disk.open(SUPERBLOCK_NAME, mode);
    if (mode === 'create') this.#file.allocate(0, 2 * PAGE_SIZE);
    else if (this.#file.size() < 2 * PAGE_SIZE) {
      this.#file.close();
      throw new CorruptionError(SUPERBLOCK_NAME, 'shorter than two slots');
    }
  }

  /** Writes a superblock to its slot and makes it durable. */
  async write(superblock: Superblock): Promise<void> {
    this.#put(superblock);
    await this.#file.sync();
  }

  /** Makes durable what a process that died had written, before anything that it let go of is written over. */
  syncNow(): void {
    this.#file.syncNow();
  }

  writeNow(superblock: Superblock): void {
    this.#put(superblock);
    this.#file.syncNow();
  }

  #put(superblock: Superblock): void {
    this.#file.write(encodeSuperblock(superblock), 0, PAGE_SIZE, (superblock.sequence % 2) * PAGE_SIZE);
  }

  close(): void {
    this.#file.close();
  }
}
