/**
 * The write-ahead log: an endless sequence of records, kept in a pool of preallocated segment files `wal/0`, `wal/1`, ….
 * segment.ts has their format.
 *
 * Files are written full of zeros when they are made, so that a later sync overwrites allocated, initialised blocks and the host
 * needs no journal commit of its own. A record is put together in memory and appended with one write: it outlives the process
 * once that has returned; `sync` outlives the power. The log is not mapped: a mapped page costs a fault after each time it was
 * written back, and a fault may dirty more than the record (a large folio, on ext4), which the next sync then writes.
 *
 * Invariants:
 * - A record counts, and the tail moves, only when all of it was written. What a failed write leaves has no valid checksum and
 *   lies at the tail, where the next record goes.
 * - A segment is recycled only when a durable superblock names an LSN beyond it.
 * - After recovery the log goes on in a segment number that was never used, so that records which a power cut left beyond the
 *   end of the log cannot become valid again.
 */
import { CorruptionError } from '../errors/corruption.js';
import { type Disk, DiskError } from '../store/disk.js';
import { asLsn, type Lsn } from '../store/units.js';
import { FieldWriter } from './record.js';
import {
  LOG_RECORD_HEADER_BYTES,
  LOG_SEGMENT_HEADER_BYTES,
  type LogRecord,
  LogSegment,
  PADDING,
  recordAligned,
  type SegmentContent,
  sealRecord,
  UNSYNCED_SEGMENTS_MAX,
  wordsOf,
} from './segment.js';

export const LOG_DIRECTORY = 'wal';
/**
 * New segments are filled in writes of this size. Pages take three times as long; a megabyte leaves folios of that size in the page
 * cache, which the host locks and writes back as one, so that records wait for the syncs of those before them.
 */
const ZEROS_BYTES = 64 * 1024;
/** The memory in which records are put together, at first: the data of a small file, or what an operation says in names. */
const RECORD_BUFFER_BYTES = 64 * 1024;

export class Log {
  readonly #disk: Disk;
  readonly #uuid: Uint8Array;
  readonly #segmentBytes: number;
  /** Bytes of records in a segment: D. */
  readonly #dataBytes: number;
  readonly #pool: LogSegment[] = [];
  /** Files that hold a segment but are shorter, with its number. */
  readonly #cutOff = new Map<string, number>();
  #current: LogSegment | undefined;
  #tail: Lsn = asLsn(0);
  /** Segments before this number hold nothing that recovery needs. */
  #firstNeeded = 0;
  readonly #unsynced = new Set<LogSegment>();
  /** The tail when the last sync began. */
  #syncedTo: Lsn = asLsn(0);
  /** Segments whose sync is under way, and how many times. */
  readonly #syncing = new Map<LogSegment, number>();
  /** The record that is being put together, from its header on. */
  #record = new Uint8Array(RECORD_BUFFER_BYTES);
  #recordWords = wordsOf(this.#record);
  #recordType = PADDING;
  #recordRequest = 0;
  #recordDataset = 0;
  readonly #writer = new FieldWriter();
  #hasSpare = true;
  /** The segment that was read last, until the log is written. */
  #content: SegmentContent | undefined;

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
      const segment = new LogSegment(file);
      segment.load(log.#uuid);
      if (file.size() >= segmentBytes) {
        log.#pool.push(segment);
        continue;
      }
      file.close();
      if (segment.number >= 0) log.#cutOff.set(name, segment.number);
      // Cut off while it was made: nothing was ever logged in it.
      else if (!readOnly) disk.remove(`${LOG_DIRECTORY}/${name}`);
    }
    return log;
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

  #contentOf(segment: LogSegment): SegmentContent {
    if (this.#content?.number !== segment.number) this.#content = segment.read(this.#segmentBytes);
    return this.#content;
  }

  /** The valid records from an LSN on, in order. Throws DiskError. */
  *records(from: Lsn): Generator<LogRecord> {
    for (const record of this.#all(from)) if (record.type !== PADDING) yield record;
  }

  /** The same with those that only say that the rest of a segment is unused. */
  *#all(from: Lsn): Generator<LogRecord> {
    let lsn: number = from;
    let segment: SegmentContent | undefined;
    for (;;) {
      const number = Math.floor(lsn / this.#dataBytes);
      if (segment?.number !== number) {
        const file = this.#pool.find((candidate) => candidate.number === number);
        segment = file === undefined ? undefined : this.#contentOf(file);
      }
      if (segment === undefined) return;
      if ((lsn % this.#dataBytes) + LOG_RECORD_HEADER_BYTES > this.#dataBytes) {
        lsn = (number + 1) * this.#dataBytes;
        continue;
      }
      const record = segment.recordAt(lsn);
      if (record === undefined) return;
      yield record;
      lsn = record.end;
    }
  }

  /**
   * Refuses a log with records that `records` does not lead to, `last` being the end of the last one: something before them is
   * damaged, or the superblock of the mount that logged them. A loss of power may leave such records in segments that were not
   * synced. Throws CorruptionError, DiskError.
   */
  checkNothingFollows(last: Lsn, powerLoss: boolean): void {
    let end = last;
    for (const padding of this.#all(last)) end = padding.end;
    const number = Math.floor(end / this.#dataBytes);
    for (const segment of this.#pool) {
      if (segment.number < number) continue;
      const first = segment.number * this.#dataBytes;
      if (segment.number >= number + UNSYNCED_SEGMENTS_MAX) {
        if (this.#contentOf(segment).recordAt(first) === undefined) continue;
        throw new CorruptionError('superblock', `the one by which LSN ${first} was logged is missing`);
      }
      if (!powerLoss && this.#contentOf(segment).hasRecordFrom(Math.max(end, first))) {
        throw new CorruptionError('wal', `the record at LSN ${end} is damaged or missing, but there are more after it`);
      }
    }
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
    // A process that died may have made a file without making its name durable.
    if (this.#pool.length > 0) this.#disk.syncDirectory(LOG_DIRECTORY);
    this.#content = undefined;
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
    const total = LOG_RECORD_HEADER_BYTES + recordAligned(length);
    if (total > this.#dataBytes) throw new RangeError(`a log record of ${length} bytes`);
    if (total > this.#record.length) {
      this.#record = new Uint8Array(2 ** Math.ceil(Math.log2(total)));
      this.#recordWords = wordsOf(this.#record);
    }
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

  #isFree(segment: LogSegment): boolean {
    return segment.number < this.#firstNeeded && segment !== this.#current;
  }

  /** A file for a segment number: one that is no longer needed, or a new one. */
  #acquire(number: number): LogSegment {
    if (this.#unsynced.size + this.#syncing.size >= UNSYNCED_SEGMENTS_MAX - 1) this.syncNow();
    // The oldest first: while the segment at some LSN is there, so are all that follow it.
    const free = this.#pool.filter((candidate) => this.#isFree(candidate));
    let segment = free.sort((a, b) => a.number - b.number).at(0);
    if (segment === undefined) {
      segment = this.#createSegment();
      this.#pool.push(segment);
    }
    segment.begin(this.#uuid, number);
    this.#unsynced.add(segment);
    return segment;
  }

  #createSegment(): LogSegment {
    const names = new Set(this.#disk.list(LOG_DIRECTORY));
    let index = 0;
    while (names.has(String(index))) index++;
    const path = `${LOG_DIRECTORY}/${index}`;
    const file = this.#disk.open(path, 'create');
    try {
      const zeros = new Uint8Array(ZEROS_BYTES);
      for (let at = 0; at < this.#segmentBytes; at += zeros.length) file.write(zeros, 0, zeros.length, at);
      this.#disk.syncDirectory(LOG_DIRECTORY);
      file.startWriteback(0, this.#segmentBytes);
    } catch (error) {
      file.close();
      this.#disk.remove(path);
      throw error;
    }
    return new LogSegment(file);
  }

  /** Begins a record; its fields are then written with the returned writer, in the room that `reserve` made. */
  begin(type: number, request: number, dataset: number): FieldWriter {
    this.#recordType = type;
    this.#recordRequest = request;
    this.#recordDataset = dataset;
    this.#writer.begin(this.#record, LOG_RECORD_HEADER_BYTES);
    return this.#writer;
  }

  /** Appends the record: from here on it survives the death of this process. Returns its LSN. Throws DiskError. */
  finish(): Lsn {
    const segment = this.#current;
    if (segment === undefined) throw new Error('the log has not been started');
    const lsn = this.#tail;
    const length = this.#writer.position;
    const [type, request, dataset] = [this.#recordType, this.#recordRequest, this.#recordDataset];
    sealRecord(this.#record, this.#recordWords, length, lsn, type, request, dataset);
    segment.append(this.#record, length, lsn % this.#dataBytes);
    this.#tail = asLsn(lsn + recordAligned(length));
    this.#unsynced.add(segment);
    return lsn;
  }

  /** Whether anything was appended that may not be durable. */
  get isDirty(): boolean {
    return this.#unsynced.size + this.#syncing.size > 0;
  }

  /** At least as many bytes as a sync has to write; infinite while another one is under way. */
  get unsyncedBytes(): number {
    return this.#syncing.size > 0 ? Number.POSITIVE_INFINITY : this.#tail - this.#syncedTo;
  }

  /** Makes all records appended so far durable. A segment that is being synced for another caller is synced once more. */
  async sync(): Promise<void> {
    this.#syncedTo = this.#tail;
    const segments = new Set([...this.#syncing.keys(), ...this.#unsynced]);
    this.#unsynced.clear();
    for (const segment of segments) this.#syncing.set(segment, (this.#syncing.get(segment) ?? 0) + 1);
    await Promise.all([...segments].map(({ file }) => file.sync()));
    for (const segment of segments) {
      const others = (this.#syncing.get(segment) ?? 1) - 1;
      if (others > 0) this.#syncing.set(segment, others);
      else this.#syncing.delete(segment);
    }
  }

  /** The same at once, whatever sync is under way. */
  syncNow(): void {
    this.#syncedTo = this.#tail;
    for (const segment of new Set([...this.#syncing.keys(), ...this.#unsynced])) segment.file.syncNow();
    this.#unsynced.clear();
  }

  /** Refuses a log that a file was cut off of; such as are not needed for the log from an LSN on go. Throws CorruptionError, DiskError. */
  checkWhole(from: number): void {
    for (const [name, number] of this.#cutOff) {
      const path = `${LOG_DIRECTORY}/${name}`;
      if (number >= Math.floor(from / this.#dataBytes))
        throw new CorruptionError(path, 'shorter than a segment of the log');
      this.#disk.remove(path);
    }
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
