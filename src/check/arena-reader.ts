/**
 * Reads arena records (strings, pack extents) for checking, with pread; relies on the format at the top of store/arena.ts only.
 */
import { crc32c } from '../native/addon.js';
import { ARENA_RECORD_HEADER_BYTES, ARENA_SEGMENT_HEADER_BYTES, recordBytes } from '../store/arena.js';
import { type Disk, DiskError, type DiskFile } from '../store/disk.js';

/** Read at once: header and payload of nearly all names. Bytes. */
const FIRST_READ_BYTES = 320;
const WORD = 0x1_0000_0000;

export class ArenaReader {
  readonly #disk: Disk;
  /** `string` or `pack extent`. */
  readonly recordName: string;
  readonly #segmentName: (index: number) => string;
  readonly segmentBytes: number;
  /** The end that the superblock names. */
  readonly end: number;
  /** The address after the last record that was read: where the next one may go at the earliest. */
  reached = ARENA_SEGMENT_HEADER_BYTES;
  readonly #files = new Map<number, DiskFile | undefined>();
  /** Reads that the host refused: its disk may be failing. */
  failures = 0;
  #buffer = Buffer.alloc(64 * 1024);

  /** After a `read`: the payload, valid until the next one, also where the checksum is wrong; empty without one, or of another's. */
  payload: Uint8Array = new Uint8Array(0);
  /** After a `read`: bytes that the record takes in its segment; 0 when there was a problem. */
  size = 0;

  constructor(
    disk: Disk,
    end: number,
    options: {
      readonly recordName: string;
      readonly segmentName: (index: number) => string;
      readonly segmentBytes: number;
    },
  ) {
    this.#disk = disk;
    this.end = Math.max(end, ARENA_SEGMENT_HEADER_BYTES);
    this.recordName = options.recordName;
    this.#segmentName = options.segmentName;
    this.segmentBytes = options.segmentBytes;
  }

  #file(index: number): DiskFile | undefined {
    if (!this.#files.has(index)) {
      let file: DiskFile | undefined;
      try {
        file = this.#disk.open(this.#segmentName(index), 'read');
      } catch (error) {
        if (!(error instanceof DiskError && error.code === 'ENOENT')) throw error;
      }
      this.#files.set(index, file);
    }
    return this.#files.get(index);
  }

  /** Whether a record can begin at an address. */
  isPlace(address: number): boolean {
    if (!this.#isAligned(address)) return false;
    try {
      return this.#file(Math.floor(address / this.segmentBytes)) !== undefined;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }

  #isAligned(address: number): boolean {
    const offset = address % this.segmentBytes;
    return address <= Number.MAX_SAFE_INTEGER && offset >= ARENA_SEGMENT_HEADER_BYTES && offset % 8 === 0;
  }

  /**
   * Reads and checks the record that the item with this key points to. Returns what is wrong, or undefined. `object` is undefined
   * where the record may be that of another object.
   */
  read(address: number, object: number | undefined, kind: number, minor: number): string | undefined {
    this.payload = new Uint8Array(0);
    this.size = 0;
    const where = `the ${this.recordName} at ${address}`;
    const offset = address % this.segmentBytes;
    if (!this.#isAligned(address)) return `${where} is at no address of a record`;
    const index = Math.floor(address / this.segmentBytes);
    try {
      const file = this.#file(index);
      if (file === undefined) return `${where} is in ${this.#segmentName(index)}, which is missing`;
      const problem = this.#check(file, offset, object, kind, minor, where);
      if (problem === undefined) this.reached = Math.max(this.reached, address + this.size);
      return problem;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.failures++;
      return `${where} cannot be read (${error.code})`;
    }
  }

  #check(
    file: DiskFile,
    offset: number,
    object: number | undefined,
    kind: number,
    minor: number,
    where: string,
  ): string | undefined {
    let got = file.read(this.#buffer, 0, FIRST_READ_BYTES, offset);
    if (got < ARENA_RECORD_HEADER_BYTES) return `${where} is beyond the end of its file`;
    const length = this.#buffer.readUInt32LE(4);
    const capacity = this.#buffer.readUInt32LE(8);
    const total = ARENA_RECORD_HEADER_BYTES + length;
    if (length > capacity || capacity % 8 !== 0 || offset + ARENA_RECORD_HEADER_BYTES + capacity > this.segmentBytes) {
      return `${where} has a length that is out of range`;
    }
    if (total > got) {
      if (offset + total > file.size()) return `${where} is beyond the end of its file`;
      if (total > this.#buffer.length) {
        const larger = Buffer.alloc(total);
        this.#buffer.copy(larger, 0, 0, got);
        this.#buffer = larger;
      }
      got += file.read(this.#buffer, got, total - got, offset + got);
    }
    if (got < total) return `${where} is beyond the end of its file`;
    this.payload = this.#buffer.subarray(ARENA_RECORD_HEADER_BYTES, total);
    if (this.#buffer.readUInt32LE(0) !== crc32c(this.#buffer, 4, total - 4)) {
      return `${where} has a checksum that does not match`;
    }
    const high = this.#buffer.readUInt32LE(28);
    const ownerObject = this.#buffer.readUInt32LE(20) * WORD + this.#buffer.readUInt32LE(16);
    const ownerMinor = (high & 0xff_ffff) * WORD + this.#buffer.readUInt32LE(24);
    if ((object !== undefined && ownerObject !== object) || high >>> 24 !== kind || ownerMinor !== minor) {
      // What is known to be another's is not kept for this one.
      this.payload = new Uint8Array(0);
      return `${where} belongs to another item, of inode ${ownerObject}`;
    }
    this.size = recordBytes(capacity);
    return undefined;
  }

  /** The segments that have a file, and how much of it can hold records. */
  *segments(): Generator<{ readonly index: number; readonly size: number }> {
    const first = this.#segmentName(0);
    const directory = first.includes('/') ? first.slice(0, first.lastIndexOf('/')) : '';
    if (!this.#disk.exists(directory)) return;
    for (const name of this.#disk.list(directory)) {
      const index = Number(/\d+/.exec(name)?.[0] ?? 0);
      const path = directory === '' ? name : `${directory}/${name}`;
      if (this.#segmentName(index) !== path) continue;
      const file = this.#file(index);
      if (file !== undefined) yield { index, size: Math.min(file.size(), this.segmentBytes) };
    }
  }

  /** Whether the end that the superblock names lies within its file and after all records that were read. */
  endProblem(): string | undefined {
    if (this.reached > this.end) return `ends at ${this.end}, but there is a ${this.recordName} before ${this.reached}`;
    const index = Math.floor((this.end - 1) / this.segmentBytes);
    const bytes = this.end - index * this.segmentBytes;
    // Where a segment only begins, its file need not be there yet.
    if (bytes <= ARENA_SEGMENT_HEADER_BYTES) return undefined;
    const size = this.#file(index)?.size();
    if (size === undefined) return `ends at ${this.end}, but ${this.#segmentName(index)} is missing`;
    return size < bytes ? `${this.#segmentName(index)} has ${size} bytes, should have ${bytes} at least` : undefined;
  }

  /** An end that lies after everything that there is. */
  endAfterAll(): number {
    let end = this.reached;
    for (const { index, size } of this.segments()) {
      // No record ends within the last bytes of a file that was cut off at an odd length.
      const bytes = Math.max(ARENA_SEGMENT_HEADER_BYTES, Math.floor(size / 8) * 8);
      end = Math.max(end, index * this.segmentBytes + bytes);
    }
    return end;
  }

  close(): void {
    for (const file of this.#files.values()) file?.close();
  }
}
