/**
 * An arena: append-only records in mapped segment files. The string table and the packs of small files are arenas.
 *
 * An address is `segment × segment bytes + offset`. A segment begins with 64 bytes that no record uses; a record lies within
 * one segment and begins at a multiple of 8:
 *
 *   byte  size  field
 *      0     4  crc32c of bytes 4 to 32 and of the payload
 *      4     4  length of the payload in bytes
 *      8     4  capacity: the bytes set aside for the payload, a multiple of 8
 *     12     4  zero
 *     16     8  owner: the inode of the tree item that points here
 *     24     8  kind (8 bits) and minor (56 bits) of that item
 *     32        payload, then unused bytes up to the capacity
 *
 * Records are written through the map: a page fault costs about as much as a write of 4 KiB, and the many short records and the
 * headers, which are read again when a record is released, cost next to nothing.
 *
 * The owner tells which item to look at when a segment is emptied for reuse, and shows a pointer that went astray.
 *
 * Invariants:
 * - Records below the end that the superblock names are never written; what is beyond it is written before it counts.
 * - Only allocated space is touched, so that a full disk is an error at `reserve` and never a SIGBUS.
 * - `live` bytes of a segment are those of the records that the tree points to.
 */
import { CorruptionError } from '../errors/corruption.js';
import { crc32c } from '../native/addon.js';
import type { Disk, DiskFile } from './disk.js';
import { type Address, asAddress } from './units.js';

export const ARENA_SEGMENT_HEADER_BYTES = 64;
export const ARENA_RECORD_HEADER_BYTES = 32;
const GROWTH_BYTES = 1024 * 1024;
const WORD = 0x1_0000_0000;

/** The key of the tree item that points to a record. */
export interface RecordOwner {
  readonly object: number;
  readonly kind: number;
  readonly minor: number;
}

/** Which records more than one leaf points to: these are never changed, and stay when one of their items goes. */
export interface SharedAddresses {
  isShared(address: Address): boolean;
  /** An item points to a record no more. Returns whether it was the last one. */
  drop(address: Address): boolean;
}

interface Segment {
  readonly file: DiskFile;
  bytes: Uint8Array | undefined;
  words: Uint32Array | undefined;
  allocated: number;
  dirty: boolean;
}

export interface ArenaOptions {
  /** In error messages: `string`, `pack extent`. */
  readonly recordName: string;
  readonly segmentName: (index: number) => string;
  readonly segmentBytes: number;
  readonly readOnly: boolean;
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** Bytes that a record with this capacity takes. */
export const recordBytes = (capacity: number): number => ARENA_RECORD_HEADER_BYTES + roundUp(capacity, 8);

export class Arena {
  readonly #disk: Disk;
  readonly #options: ArenaOptions;
  readonly #segments = new Map<number, Segment>();
  /** Live bytes by segment; a segment that has none and is not the last has no entry once its file is gone. */
  readonly live = new Map<number, number>();
  /** Segments whose live bytes have changed since `takeChangedSegments`. */
  #changed = new Set<number>();
  #end: number;

  /** `end` is the address after the last record, as the superblock has it; 0 in a new store. */
  constructor(disk: Disk, end: Address, options: ArenaOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#end = this.#placeAfter(Math.max(end, ARENA_SEGMENT_HEADER_BYTES));
  }

  get segmentBytes(): number {
    return this.#options.segmentBytes;
  }

  /** Where the next record may begin after one that ends at `end`: a record may fill its segment to the last byte. */
  #placeAfter(end: number): number {
    return end % this.#options.segmentBytes === 0 ? end + ARENA_SEGMENT_HEADER_BYTES : end;
  }

  /** The address at which the next record may begin. */
  get end(): Address {
    return asAddress(this.#end);
  }

  /** Bytes allocated on disk. */
  get byteLength(): number {
    let total = 0;
    for (const index of this.live.keys()) total += this.#segment(index)?.allocated ?? 0;
    return total;
  }

  /** Makes sure that records of `bytes` in all (`recordBytes`) fit, none above 1/2 segment. Throws DiskError (ENOSPC). */
  reserve(bytes: number): void {
    const { segmentBytes } = this.#options;
    const index = Math.floor(this.#end / segmentBytes);
    const offset = this.#end % segmentBytes;
    this.#allocate(index, Math.min(segmentBytes, offset + bytes));
    if (offset + bytes > segmentBytes) this.#allocate(index + 1, ARENA_SEGMENT_HEADER_BYTES + bytes);
  }

  #allocate(index: number, length: number): void {
    const segment = this.#segment(index) ?? this.#createSegment(index);
    if (segment.allocated >= length) return;
    const target = Math.min(this.#options.segmentBytes, roundUp(length, GROWTH_BYTES));
    segment.file.allocate(0, target);
    segment.allocated = target;
  }

  #createSegment(index: number): Segment {
    const file = this.#disk.open(this.#options.segmentName(index), 'create');
    this.#disk.syncDirectory(this.#directory());
    const segment: Segment = { file, bytes: undefined, words: undefined, allocated: 0, dirty: false };
    this.#segments.set(index, segment);
    if (!this.live.has(index)) this.live.set(index, 0);
    return segment;
  }

  #directory(): string {
    const name = this.#options.segmentName(0);
    return name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '';
  }

  /** An existing segment, opened when first needed. */
  #segment(index: number): Segment | undefined {
    const known = this.#segments.get(index);
    if (known !== undefined) return known;
    const name = this.#options.segmentName(index);
    if (!this.#disk.exists(name)) return undefined;
    const file = this.#disk.open(name, this.#options.readOnly ? 'read' : 'write');
    // No more than is mapped, whatever became of the file.
    const allocated = Math.min(file.size(), this.#options.segmentBytes);
    const segment: Segment = { file, bytes: undefined, words: undefined, allocated, dirty: false };
    this.#segments.set(index, segment);
    return segment;
  }

  #mapped(index: number): { bytes: Uint8Array; words: Uint32Array; allocated: number } {
    const segment = this.#segment(index);
    if (segment === undefined) {
      throw new CorruptionError(this.#options.segmentName(index), 'missing');
    }
    if (segment.bytes === undefined || segment.words === undefined) {
      const bytes = segment.file.map(this.#options.segmentBytes);
      segment.bytes = bytes;
      segment.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
      return { bytes, words: segment.words, allocated: segment.allocated };
    }
    return segment as { bytes: Uint8Array; words: Uint32Array; allocated: number };
  }

  /**
   * Appends a record and returns its address; `reserve` must have made room. `capacity` bytes (at least those of the payload)
   * are set aside for it.
   */
  append(owner: RecordOwner, payload: Uint8Array, capacity = payload.length): Address {
    const { segmentBytes } = this.#options;
    const size = recordBytes(capacity);
    if ((this.#end % segmentBytes) + size > segmentBytes) {
      this.#end = (Math.floor(this.#end / segmentBytes) + 1) * segmentBytes + ARENA_SEGMENT_HEADER_BYTES;
    }
    const address = this.#end;
    const index = Math.floor(address / segmentBytes);
    const { bytes, words } = this.#mapped(index);
    const offset = address % segmentBytes;
    const word = offset >>> 2;
    words[word + 1] = payload.length;
    words[word + 2] = roundUp(capacity, 8);
    words[word + 3] = 0;
    words[word + 4] = owner.object >>> 0;
    words[word + 5] = Math.floor(owner.object / WORD);
    words[word + 6] = owner.minor >>> 0;
    words[word + 7] = ((owner.kind << 24) | Math.floor(owner.minor / WORD)) >>> 0;
    bytes.set(payload, offset + ARENA_RECORD_HEADER_BYTES);
    this.#seal(bytes, words, offset);
    this.#end = this.#placeAfter(address + size);
    this.#segments.get(index)!.dirty = true;
    this.#addLive(index, size);
    return asAddress(address);
  }

  #seal(bytes: Uint8Array, words: Uint32Array, offset: number): void {
    const length = words[(offset >>> 2) + 1];
    words[offset >>> 2] = crc32c(bytes, offset + 4, ARENA_RECORD_HEADER_BYTES - 4 + length);
  }

  #addLive(index: number, bytes: number): void {
    this.live.set(index, (this.live.get(index) ?? 0) + bytes);
    this.#changed.add(index);
  }

  /** Takes over the live bytes of a segment from a store whose catalog has no item for it yet. */
  noteLive(index: number, bytes: number): void {
    this.live.set(index, bytes);
    this.#changed.add(index);
  }

  /** The record is no longer pointed to. */
  release(address: Address): void {
    const { words, word } = this.#header(address);
    this.#addLive(Math.floor(address / this.#options.segmentBytes), -recordBytes(words[word + 2]));
  }

  /** The place of a record whose header is within bounds. */
  #header(address: Address): { bytes: Uint8Array; words: Uint32Array; word: number; offset: number } {
    const { segmentBytes } = this.#options;
    const offset = address % segmentBytes;
    if (address >= this.#end || offset < ARENA_SEGMENT_HEADER_BYTES || offset % 8 !== 0) {
      throw this.#damage(address, 'not an address of a record');
    }
    const { bytes, words, allocated } = this.#mapped(Math.floor(address / segmentBytes));
    const word = offset >>> 2;
    if (offset + ARENA_RECORD_HEADER_BYTES > allocated) throw this.#damage(address, 'beyond the end of its file');
    const end = offset + ARENA_RECORD_HEADER_BYTES + words[word + 2];
    if (words[word + 1] > words[word + 2] || end > allocated) throw this.#damage(address, 'its length is out of range');
    return { bytes, words, word, offset };
  }

  #damage(address: number, problem: string): CorruptionError {
    return new CorruptionError(`${this.#options.recordName} at ${address}`, problem);
  }

  /** The payload of a record, checked, as a view that is valid until the record is released. */
  read(address: Address): Uint8Array {
    const { bytes, words, word, offset } = this.#header(address);
    const length = words[word + 1];
    if (words[word] !== crc32c(bytes, offset + 4, ARENA_RECORD_HEADER_BYTES - 4 + length)) {
      throw this.#damage(address, 'checksum does not match');
    }
    return bytes.subarray(offset + ARENA_RECORD_HEADER_BYTES, offset + ARENA_RECORD_HEADER_BYTES + length);
  }

  /** Whether a record's payload is these bytes. Differing bytes are checked to be undamaged before the answer is no. */
  equals(address: Address, payload: Uint8Array): boolean {
    const { bytes, words, word, offset } = this.#header(address);
    if (words[word + 1] === payload.length) {
      const start = offset + ARENA_RECORD_HEADER_BYTES;
      let index = 0;
      while (index < payload.length && bytes[start + index] === payload[index]) index++;
      if (index === payload.length) return true;
    }
    this.read(address);
    return false;
  }

  /** The key of the item that points to a record, as the record says. */
  owner(address: Address): RecordOwner {
    const { words, word } = this.#header(address);
    return {
      object: words[word + 5] * WORD + words[word + 4],
      kind: words[word + 7] >>> 24,
      minor: (words[word + 7] & 0xff_ffff) * WORD + words[word + 6],
    };
  }

  /** Bytes set aside for a record's payload. */
  capacity(address: Address): number {
    const { words, word } = this.#header(address);
    return words[word + 2];
  }

  /**
   * Overwrites part of a record's payload in place, growing its length up to its capacity; new bytes between are zeros. Only for
   * records that no durable checkpoint reaches.
   */
  overwrite(address: Address, at: number, data: Uint8Array): void {
    const { bytes, words, word, offset } = this.#header(address);
    const start = offset + ARENA_RECORD_HEADER_BYTES;
    const length = words[word + 1];
    if (at > length) bytes.fill(0, start + length, start + at);
    bytes.set(data, start + at);
    if (at + data.length > length) words[word + 1] = at + data.length;
    this.#seal(bytes, words, offset);
    this.#segments.get(Math.floor(address / this.#options.segmentBytes))!.dirty = true;
  }

  /** The records of a segment in order, damaged ones ending the walk: for emptying it. */
  *records(index: number): Generator<{ readonly address: Address; readonly owner: RecordOwner }> {
    const { segmentBytes } = this.#options;
    let offset = ARENA_SEGMENT_HEADER_BYTES;
    while (index * segmentBytes + offset < this.#end && offset + ARENA_RECORD_HEADER_BYTES <= segmentBytes) {
      const { words, allocated } = this.#mapped(index);
      const word = offset >>> 2;
      const capacity = words[word + 2];
      if (capacity === 0 && words[word + 1] === 0 && words[word] === 0) return;
      if (offset + ARENA_RECORD_HEADER_BYTES + capacity > allocated) return;
      const address = asAddress(index * segmentBytes + offset);
      yield { address, owner: this.owner(address) };
      offset += recordBytes(capacity);
    }
  }

  /** The segments whose live bytes changed since the last call. */
  takeChangedSegments(): ReadonlySet<number> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** The segment that is written now: everything before it is full. */
  get lastSegment(): number {
    return Math.floor(this.#end / this.#options.segmentBytes);
  }

  /** The full segments to which nothing points any more. */
  emptySegments(): number[] {
    return [...this.live].flatMap(([index, live]) => (live === 0 && index < this.lastSegment ? [index] : []));
  }

  /** Deletes the file of a segment to which nothing durable points any more. */
  removeSegment(index: number): void {
    this.#segments.get(index)?.file.close();
    this.#segments.delete(index);
    this.live.delete(index);
    this.#changed.delete(index);
    this.#disk.remove(this.#options.segmentName(index));
    this.#disk.syncDirectory(this.#directory());
  }

  /** Makes all records durable. */
  async sync(): Promise<void> {
    const dirty = [...this.#segments.values()].filter((segment) => segment.dirty);
    for (const segment of dirty) segment.dirty = false;
    await Promise.all(dirty.map((segment) => segment.file.sync()));
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.file.close();
  }
}
