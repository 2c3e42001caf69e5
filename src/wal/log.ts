/**
 * The write-ahead log: an endless sequence of records, kept in a pool of preallocated segment files `wal/0`, `wal/1`, ….
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
 *
 * Files are written full of zeros when they are made, so that a later sync overwrites allocated, initialised blocks and the host
 * needs no journal commit of its own. Appending is a copy into the mapping: it outlives the process; `sync` outlives the power.
 *
 * Invariants:
 * - A segment is recycled only when a durable superblock names an LSN beyond it.
 * - After recovery the log goes on in a segment number that was never used, so that records which a power cut left beyond the
 *   end of the log cannot become valid again.
 */
import { CorruptionError } from '../errors/corruption.js';
import { crc32c } from '../native/addon.js';
import { type Disk, DiskError, type DiskFile } from '../store/disk.js';
import { asDatasetId, asLsn, type DatasetId, type Lsn } from '../store/units.js';
import { FieldReader, FieldWriter } from './record.js';

export const LOG_DIRECTORY = 'wal';
export const LOG_SEGMENT_HEADER_BYTES = 4096;
export const LOG_RECORD_HEADER_BYTES = 32;
export const LOG_SEGMENT_MAGIC = 0x4c57_5a52; // "RZWL"
const LOG_SEGMENT_HEADER_USED_BYTES = 40;
const PADDING = 0;
/**
 * New segments are filled in writes of one page. Larger ones would leave large folios in the page cache, of which a mapped write
 * dirties all (ext4's page_mkwrite): each sync of a small record would then write up to a megabyte.
 */
const ZEROS_BYTES = 4096;
/**
 * A power cut may take the first page of a segment, which names it, and leave its records. No more segments than this are ever
 * unsynced, and recovery leaves out as many numbers, so that such records are never found at a place that has their LSN.
 */
const UNSYNCED_SEGMENTS_MAX = 16;
const WORD = 0x1_0000_0000;

interface Segment {
  readonly file: DiskFile;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** The segment number that the file holds; -1 for none. */
  number: number;
}

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

const aligned = (length: number): number => (length + 7) & ~7;

export class Log {
  readonly #disk: Disk;
  readonly #uuid: Uint8Array;
  readonly #segmentBytes: number;
  /** Bytes of records in a segment: D. */
  readonly #dataBytes: number;
  readonly #pool: Segment[] = [];
  #current: Segment | undefined;
  #tail: Lsn = asLsn(0);
  /** Segments before this number hold nothing that recovery needs. */
  #firstNeeded = 0;
  readonly #unsynced = new Set<Segment>();
  /** Segments whose sync is under way, and how many times. */
  readonly #syncing = new Map<Segment, number>();
  readonly #writer = new FieldWriter();
  #hasSpare = true;

  private constructor(disk: Disk, uuid: string, segmentBytes: number) {
    this.#disk = disk;
    this.#uuid = Buffer.from(uuid, 'hex');
    this.#segmentBytes = segmentBytes;
    this.#dataBytes = segmentBytes - LOG_SEGMENT_HEADER_BYTES;
  }

  /** Opens the pool of a store. Files that hold no segment of this store count as empty. */
  static open(disk: Disk, uuid: string, segmentBytes: number, readOnly: boolean): Log {
    const log = new Log(disk, uuid, segmentBytes);
    if (!disk.exists(LOG_DIRECTORY)) {
      if (readOnly) return log;
      disk.makeDirectory(LOG_DIRECTORY);
      disk.syncDirectory('');
    }
    for (const name of disk.list(LOG_DIRECTORY)) {
      if (!/^\d+$/.test(name)) continue;
      const file = disk.open(`${LOG_DIRECTORY}/${name}`, readOnly ? 'read' : 'write');
      if (file.size() < segmentBytes) {
        // Cut off while it was made: nothing was ever logged in it.
        file.close();
        if (!readOnly) disk.remove(`${LOG_DIRECTORY}/${name}`);
        continue;
      }
      log.#pool.push(log.#mapSegment(file));
    }
    return log;
  }

  #mapSegment(file: DiskFile): Segment {
    const bytes = file.map(this.#segmentBytes);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, this.#segmentBytes / 4);
    return { file, bytes, words, number: this.#numberIn(bytes, words) };
  }

  #numberIn(bytes: Uint8Array, words: Uint32Array): number {
    if (words[1] !== LOG_SEGMENT_MAGIC) return -1;
    if (words[0] !== crc32c(bytes, 4, LOG_SEGMENT_HEADER_USED_BYTES - 4)) return -1;
    for (let i = 0; i < 16; i++) if (bytes[8 + i] !== this.#uuid[i]) return -1;
    return words[7] * WORD + words[6];
  }

  /** The LSN at which the next record goes, or would go if it fits the segment. */
  get tail(): Lsn {
    return this.#tail;
  }

  /** Bytes on disk. */
  get byteLength(): number {
    return this.#pool.length * this.#segmentBytes;
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether the segment in which an LSN lies is there, or the full one before it, after which none had been begun. */
  holds(lsn: Lsn): boolean {
    const number = Math.floor(lsn / this.#dataBytes);
    const first = lsn % this.#dataBytes === 0 ? number - 1 : number;
    return this.#pool.some((segment) => segment.number >= first && segment.number <= number);
  }

  /** The valid records from an LSN on, in order. */
  *records(from: Lsn): Generator<LogRecord> {
    let lsn: number = from;
    for (;;) {
      const number = Math.floor(lsn / this.#dataBytes);
      const segment = this.#pool.find((candidate) => candidate.number === number);
      if (segment === undefined) return;
      const within = lsn % this.#dataBytes;
      if (within + LOG_RECORD_HEADER_BYTES > this.#dataBytes) {
        lsn = (number + 1) * this.#dataBytes;
        continue;
      }
      const record = this.#recordAt(segment, lsn, within);
      if (record === undefined) return;
      if (record.type !== PADDING) yield record;
      lsn = record.end;
    }
  }

  #recordAt(segment: Segment, lsn: number, within: number): LogRecord | undefined {
    const { bytes, words } = segment;
    const offset = LOG_SEGMENT_HEADER_BYTES + within;
    const word = offset >>> 2;
    const length = words[word + 1];
    if (length < LOG_RECORD_HEADER_BYTES || within + length > this.#dataBytes) return undefined;
    if (words[word + 3] * WORD + words[word + 2] !== lsn) return undefined;
    if (words[word] !== crc32c(bytes, offset + 4, length - 4)) return undefined;
    const type = bytes[offset + 24];
    const number = Math.floor(lsn / this.#dataBytes);
    return {
      lsn: asLsn(lsn),
      end: asLsn(type === PADDING ? (number + 1) * this.#dataBytes : lsn + aligned(length)),
      type,
      request: words[word + 5] * WORD + words[word + 4],
      dataset: asDatasetId(words[word + 7]),
      fields: new FieldReader(bytes, offset + LOG_RECORD_HEADER_BYTES, offset + length),
    };
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An LSN in a segment that no file holds or ever held: where the log goes on after recovery. */
  firstUnusedLsn(atLeast: Lsn): Lsn {
    const used = Math.max(-1, ...this.#pool.map((segment) => segment.number));
    return asLsn((Math.max(used, Math.floor(atLeast / this.#dataBytes)) + UNSYNCED_SEGMENTS_MAX) * this.#dataBytes);
  }

  /**
   * Goes on at the beginning of a segment. What lies between `needed` and there stays until `recycle`: a crash before the first
   * checkpoint goes back to it. Throws DiskError (ENOSPC).
   */
  startAt(lsn: Lsn, needed: Lsn): void {
    this.#tail = lsn;
    this.#firstNeeded = Math.floor(needed / this.#dataBytes);
    this.#current = this.#acquire(Math.floor(lsn / this.#dataBytes));
  }

  /** Segments before the one of this LSN may be used again. */
  recycle(before: Lsn): void {
    this.#firstNeeded = Math.floor(before / this.#dataBytes);
    if (!this.#hasSpare) this.#keepSpare();
  }

  /** Makes sure that a record with `length` bytes of fields fits. Throws DiskError (ENOSPC) and changes nothing. */
  reserve(length: number): void {
    const total = LOG_RECORD_HEADER_BYTES + aligned(length);
    if (total > this.#dataBytes) throw new RangeError(`a log record of ${length} bytes`);
    const within = this.#tail % this.#dataBytes;
    const number = Math.floor(this.#tail / this.#dataBytes);
    if (this.#current?.number === number && within + total <= this.#dataBytes) return;
    if (this.#current?.number !== number) {
      this.#current = this.#acquire(number);
      return;
    }
    const next = this.#acquire(number + 1);
    if (within + LOG_RECORD_HEADER_BYTES <= this.#dataBytes) {
      this.begin(PADDING, 0, 0);
      this.finish();
    }
    this.#tail = asLsn((number + 1) * this.#dataBytes);
    this.#current = next;
    this.#keepSpare();
  }

  /**
   * Keeps one file ready for the segment after the current one, so that a full disk is noticed while there is still room in the
   * log: for operations that free something, and until a checkpoint has recycled segments.
   */
  #keepSpare(): void {
    this.#hasSpare = this.#pool.some((candidate) => this.#isFree(candidate));
    if (this.#hasSpare) return;
    try {
      this.#pool.push(this.#createSegment());
      this.#hasSpare = true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  /** Whether there is room for one more segment than the current one; if not, a checkpoint is needed. */
  get hasSpare(): boolean {
    return this.#hasSpare;
  }

  #isFree(segment: Segment): boolean {
    return segment.number < this.#firstNeeded && segment !== this.#current;
  }

  /** A file for a segment number: one that is no longer needed, or a new one. */
  #acquire(number: number): Segment {
    if (this.#unsynced.size + this.#syncing.size >= UNSYNCED_SEGMENTS_MAX - 1) this.syncNow();
    // The oldest first: while the segment at some LSN is there, so are all that follow it.
    const free = this.#pool.filter((candidate) => this.#isFree(candidate));
    let segment = free.sort((a, b) => a.number - b.number).at(0);
    if (segment === undefined) {
      segment = this.#createSegment();
      this.#pool.push(segment);
    }
    segment.number = number;
    const { bytes, words } = segment;
    bytes.fill(0, 0, LOG_SEGMENT_HEADER_BYTES);
    words[1] = LOG_SEGMENT_MAGIC;
    bytes.set(this.#uuid, 8);
    words[6] = number >>> 0;
    words[7] = Math.floor(number / WORD);
    words[0] = crc32c(bytes, 4, LOG_SEGMENT_HEADER_USED_BYTES - 4);
    this.#unsynced.add(segment);
    return segment;
  }

  #createSegment(): Segment {
    const names = new Set(this.#disk.list(LOG_DIRECTORY));
    let index = 0;
    while (names.has(String(index))) index++;
    const path = `${LOG_DIRECTORY}/${index}`;
    const file = this.#disk.open(path, 'create');
    try {
      const zeros = new Uint8Array(ZEROS_BYTES);
      for (let at = 0; at < this.#segmentBytes; at += zeros.length) file.write(zeros, 0, zeros.length, at);
      this.#disk.syncDirectory(LOG_DIRECTORY);
    } catch (error) {
      file.close();
      this.#disk.remove(path);
      throw error;
    }
    return this.#mapSegment(file);
  }

  /** Begins a record; its fields are then written with the returned writer, in the room that `reserve` made. */
  begin(type: number, request: number, dataset: number): FieldWriter {
    const segment = this.#current;
    if (segment === undefined) throw new Error('the log has not been started');
    const offset = LOG_SEGMENT_HEADER_BYTES + (this.#tail % this.#dataBytes);
    const word = offset >>> 2;
    const { words } = segment;
    words[word] = 0;
    words[word + 2] = this.#tail >>> 0;
    words[word + 3] = Math.floor(this.#tail / WORD);
    words[word + 4] = request >>> 0;
    words[word + 5] = Math.floor(request / WORD);
    words[word + 6] = type;
    words[word + 7] = dataset;
    this.#writer.begin(segment.bytes, offset + LOG_RECORD_HEADER_BYTES);
    return this.#writer;
  }

  /** Completes the record: from here on it survives the death of this process. Returns its LSN. */
  finish(): Lsn {
    const segment = this.#current;
    if (segment === undefined) throw new Error('the log has not been started');
    const lsn = this.#tail;
    const offset = LOG_SEGMENT_HEADER_BYTES + (lsn % this.#dataBytes);
    const length = this.#writer.position - offset;
    segment.words[(offset >>> 2) + 1] = length;
    segment.words[offset >>> 2] = crc32c(segment.bytes, offset + 4, length - 4);
    this.#tail = asLsn(lsn + aligned(length));
    this.#unsynced.add(segment);
    return lsn;
  }

  /** Whether anything was appended that may not be durable. */
  get isDirty(): boolean {
    return this.#unsynced.size + this.#syncing.size > 0;
  }

  /** Makes all records appended so far durable. A segment that is being synced for another caller is synced once more. */
  async sync(): Promise<void> {
    const segments = new Set([...this.#syncing.keys(), ...this.#unsynced]);
    this.#unsynced.clear();
    for (const segment of segments) this.#syncing.set(segment, (this.#syncing.get(segment) ?? 0) + 1);
    await Promise.all([...segments].map((segment) => segment.file.sync()));
    for (const segment of segments) {
      const others = (this.#syncing.get(segment) ?? 1) - 1;
      if (others > 0) this.#syncing.set(segment, others);
      else this.#syncing.delete(segment);
    }
  }

  /** The same at once, whatever sync is under way. */
  syncNow(): void {
    for (const segment of new Set([...this.#syncing.keys(), ...this.#unsynced])) segment.file.syncNow();
    this.#unsynced.clear();
  }

  /** Whether two files claim the same segment, which no history of this program can bring about. */
  checkNoDuplicates(): void {
    const seen = new Set<number>();
    for (const { number } of this.#pool) {
      if (number >= 0 && seen.has(number)) throw new CorruptionError('wal', `two files hold segment ${number}`);
      seen.add(number);
    }
  }

  close(): void {
    for (const segment of this.#pool) segment.file.close();
  }
}
