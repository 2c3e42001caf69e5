/**
 * One segment file of the log: its header, and the records in it.
 *
 * An LSN is a byte offset in the endless log. Segment k of the log has the LSNs from k × D to (k + 1) × D, where D is the
 * segment's size less 4,096 bytes, and lies in whichever file says so in its first bytes:
 *
 *   byte  size  field                                record  size  field
 *      0     4  crc32c of bytes 4 to 40                   0     4  crc32c of bytes 4 to the record's end
 *      4     4  magic "RZWL"                              4     4  length of the record in bytes, this header included
 *      8    16  uuid of the store                         8     8  LSN of this record
 *     24     8  segment number k                         16     8  number of the request that made the change, or 0
 *     32     8  zero                                     24     1  type (0: the rest of the segment is unused)
 *   4096        records                                  25     3  zero
 *                                                        28     4  dataset that the change is about (format 1: 0)
 *                                                        32        fields of the type
 *
 * Records begin at multiples of 8 and do not cross segments. A record is valid if and only if its checksum is right, its LSN is
 * the one of its place, and its length stays within the segment. The log ends before the first record that is not valid: since
 * LSNs only grow and a file is used again with a higher segment number, what a former life left behind never looks valid.
 */
import { crc32c } from '../native/addon.js';
import type { DiskFile } from '../store/disk.js';
import { asDatasetId, asLsn, type DatasetId, type Lsn } from '../store/units.js';
import { FieldReader } from './record.js';

export const LOG_SEGMENT_HEADER_BYTES = 4096;
export const LOG_RECORD_HEADER_BYTES = 32;
export const LOG_SEGMENT_MAGIC = 0x4c57_5a52; // "RZWL"
const SEGMENT_HEADER_USED_BYTES = 40;
/**
 * A power cut may take the first page of a segment, which names it, and leave its records. No more segments than this are ever
 * unsynced, and a mount goes on so many numbers beyond all that there are, so that such records are never found at a place that has
 * their LSN.
 */
export const UNSYNCED_SEGMENTS_MAX = 16;
/** The type of a record that says that the rest of the segment is unused. */
export const PADDING = 0;
const WORD = 0x1_0000_0000;

/** A record as the log holds it, checked. */
export interface LogRecord {
  readonly lsn: Lsn;
  /** The LSN after it. */
  readonly end: Lsn;
  readonly type: number;
  readonly request: number;
  readonly dataset: DatasetId;
  readonly fields: FieldReader;
}

export const recordAligned = (length: number): number => (length + 7) & ~7;

export const wordsOf = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);

/** Completes a record of `length` bytes in all, whose fields lie behind room for the header. `words` shows the header of `bytes`. */
export function sealRecord(
  bytes: Uint8Array,
  words: Uint32Array,
  length: number,
  lsn: Lsn,
  type: number,
  request: number,
  dataset: number,
): void {
  words[1] = length;
  words[2] = lsn >>> 0;
  words[3] = Math.floor(lsn / WORD);
  words[4] = request >>> 0;
  words[5] = Math.floor(request / WORD);
  words[6] = type;
  words[7] = dataset;
  words[0] = crc32c(bytes, 4, length - 4);
}

export class LogSegment {
  readonly file: DiskFile;
  #number = -1;

  /** A file that holds no segment so far. */
  constructor(file: DiskFile) {
    this.file = file;
  }

  /** The segment number that the file holds; -1 for none. */
  get number(): number {
    return this.#number;
  }

  /** Finds out which segment of this store the file holds, if any. Throws DiskError. */
  load(uuid: Uint8Array): void {
    const bytes = new Uint8Array(SEGMENT_HEADER_USED_BYTES);
    this.file.read(bytes, 0, bytes.length, 0);
    const words = wordsOf(bytes);
    if (words[1] !== LOG_SEGMENT_MAGIC) return;
    if (words[0] !== crc32c(bytes, 4, bytes.length - 4)) return;
    for (let i = 0; i < 16; i++) if (bytes[8 + i] !== uuid[i]) return;
    this.#number = words[7] * WORD + words[6];
  }

  /** The file holds this segment from now on, and none of its records yet. Throws DiskError. */
  begin(uuid: Uint8Array, number: number): void {
    const bytes = new Uint8Array(LOG_SEGMENT_HEADER_BYTES);
    const words = wordsOf(bytes);
    words[1] = LOG_SEGMENT_MAGIC;
    bytes.set(uuid, 8);
    words[6] = number >>> 0;
    words[7] = Math.floor(number / WORD);
    words[0] = crc32c(bytes, 4, SEGMENT_HEADER_USED_BYTES - 4);
    this.#number = -1;
    this.file.write(bytes, 0, bytes.length, 0);
    this.#number = number;
  }

  /** Writes a record of `length` bytes at an offset among the records: it has all been written when this returns. Throws DiskError. */
  append(record: Uint8Array, length: number, at: number): void {
    this.file.write(record, 0, length, LOG_SEGMENT_HEADER_BYTES + at);
  }

  /** Reads all of it. Not a map, so that a sector that cannot be read is an error and not the end of the process. */
  read(bytes: number): SegmentContent {
    const content = new Uint8Array(bytes);
    this.file.read(content, 0, bytes, 0);
    return new SegmentContent(this.#number, content);
  }
}

/** A segment as it was read. */
export class SegmentContent {
  readonly number: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #dataBytes: number;

  constructor(number: number, bytes: Uint8Array) {
    this.number = number;
    this.#bytes = bytes;
    this.#words = wordsOf(bytes);
    this.#dataBytes = bytes.length - LOG_SEGMENT_HEADER_BYTES;
  }

  /** Whether there is a valid record at an LSN of this segment, or after it. */
  hasRecordFrom(first: number): boolean {
    const last = (this.number + 1) * this.#dataBytes - LOG_RECORD_HEADER_BYTES;
    let word = (LOG_SEGMENT_HEADER_BYTES + (first % this.#dataBytes)) >>> 2;
    for (let lsn = first; lsn <= last; lsn += 8, word += 2) {
      if (this.#words[word + 2] === lsn >>> 0 && this.recordAt(lsn) !== undefined) return true;
    }
    return false;
  }

  /** The record at an LSN of this segment; undefined when there is no valid one. */
  recordAt(lsn: number): LogRecord | undefined {
    const words = this.#words;
    const within = lsn % this.#dataBytes;
    const offset = LOG_SEGMENT_HEADER_BYTES + within;
    const word = offset >>> 2;
    const length = words[word + 1];
    if (length < LOG_RECORD_HEADER_BYTES || within + length > this.#dataBytes) return undefined;
    if (words[word + 3] * WORD + words[word + 2] !== lsn) return undefined;
    if (words[word] !== crc32c(this.#bytes, offset + 4, length - 4)) return undefined;
    const type = this.#bytes[offset + 24];
    return {
      lsn: asLsn(lsn),
      end: asLsn(type === PADDING ? (this.number + 1) * this.#dataBytes : lsn + recordAligned(length)),
      type,
      request: words[word + 5] * WORD + words[word + 4],
      dataset: asDatasetId(words[word + 7]),
      fields: new FieldReader(this.#bytes, offset + LOG_RECORD_HEADER_BYTES, offset + length),
    };
  }
}
