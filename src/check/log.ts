/**
 * The write-ahead log, read by itself (format: wal/segment.ts): which segments there are, and what waits to be replayed.
 */
import { crc32c } from '../native/addon.js';
import type { Disk } from '../store/disk.js';
import type { Superblock } from '../store/superblock.js';
import { decodeOperation } from '../volume/operation-codec.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import { FieldReader } from '../wal/record.js';
import {
  LOG_RECORD_HEADER_BYTES,
  LOG_SEGMENT_HEADER_BYTES,
  LOG_SEGMENT_MAGIC,
  UNSYNCED_SEGMENTS_MAX,
} from '../wal/segment.js';
import type { Findings } from './findings.js';

/** Bytes of a segment's first block that its checksum covers, as the table in wal/segment.ts has it. */
const SEGMENT_HEADER_USED_BYTES = 40;
const TYPE_PADDING = 0;
const TYPE_SYNCED = 12;

export interface LogSummary {
  /** Operations that the next mount will apply. */
  readonly pending: number;
  /** The LSN after the last of them. */
  readonly end: number;
  /** The names of the files that they are in, by segment number. */
  readonly files: ReadonlyMap<number, string>;
}

interface SegmentFile {
  readonly name: string;
  readonly number: number;
  readonly size: number;
}

const readU64 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);

function segmentFiles(disk: Disk, uuid: string): SegmentFile[] {
  if (!disk.exists(LOG_DIRECTORY)) return [];
  const header = Buffer.alloc(SEGMENT_HEADER_USED_BYTES);
  const segments: SegmentFile[] = [];
  for (const name of disk.list(LOG_DIRECTORY).filter((name) => /^\d+$/.test(name))) {
    const file = disk.open(`${LOG_DIRECTORY}/${name}`, 'read');
    try {
      const valid =
        file.read(header, 0, header.length, 0) === header.length &&
        header.readUInt32LE(4) === LOG_SEGMENT_MAGIC &&
        header.readUInt32LE(0) === crc32c(header, 4, header.length - 4) &&
        header.toString('hex', 8, 24) === uuid;
      segments.push({ name, number: valid ? readU64(header, 24) : -1, size: file.size() });
    } finally {
      file.close();
    }
  }
  return segments;
}

class LogCheck {
  readonly #disk: Disk;
  readonly #superblock: Superblock;
  readonly #findings: Findings;
  readonly #segments = new Map<number, SegmentFile>();
  readonly #dataBytes: number;
  #bytes = Buffer.alloc(0);
  #loaded = -1;
  pending = 0;
  #isReadable = true;

  constructor(disk: Disk, superblock: Superblock, findings: Findings) {
    this.#disk = disk;
    this.#superblock = superblock;
    this.#findings = findings;
    this.#dataBytes = superblock.geometry.logSegmentBytes - LOG_SEGMENT_HEADER_BYTES;
  }

  #error(where: string, problem: string, effect: string): void {
    this.#isReadable = false;
    this.#findings.error('log', where, problem, effect);
  }

  checkSegments(hasLostPower: boolean): void {
    const { uuid, geometry, clean, lsn } = this.#superblock;
    for (const segment of segmentFiles(this.#disk, uuid)) {
      const where = `${LOG_DIRECTORY}/${segment.name}`;
      if (segment.number < 0) continue;
      if (this.#segments.has(segment.number)) {
        this.#error(where, `a second file that holds log segment ${segment.number}`, 'the store cannot be mounted');
        continue;
      }
      if (segment.size < geometry.logSegmentBytes) {
        // One that is of no use any more, or that a loss of power may have cut off, is removed by the next mount.
        if (clean || hasLostPower || segment.number < Math.floor(lsn / this.#dataBytes)) continue;
        const problem = `${segment.size} bytes long, should be ${geometry.logSegmentBytes}`;
        this.#error(where, problem, 'the operations from there on are lost');
      }
      this.#segments.set(segment.number, segment);
    }
  }

  #load(number: number): boolean {
    if (this.#loaded === number) return true;
    const segment = this.#segments.get(number);
    if (segment === undefined) return false;
    const { logSegmentBytes } = this.#superblock.geometry;
    if (this.#bytes.length === 0) this.#bytes = Buffer.alloc(logSegmentBytes);
    const file = this.#disk.open(`${LOG_DIRECTORY}/${segment.name}`, 'read');
    this.#bytes.fill(0, file.read(this.#bytes, 0, logSegmentBytes, 0));
    file.close();
    this.#loaded = number;
    return true;
  }

  /** The type and the end of the record at an LSN, if there is a valid one. Its segment must be loaded. */
  #recordAt(lsn: number): { readonly type: number; readonly end: number; readonly fields: FieldReader } | undefined {
    const within = lsn % this.#dataBytes;
    const offset = LOG_SEGMENT_HEADER_BYTES + within;
    if (within + LOG_RECORD_HEADER_BYTES > this.#dataBytes || readU64(this.#bytes, offset + 8) !== lsn)
      return undefined;
    const length = this.#bytes.readUInt32LE(offset + 4);
    if (length < LOG_RECORD_HEADER_BYTES || within + length > this.#dataBytes) return undefined;
    if (this.#bytes.readUInt32LE(offset) !== crc32c(this.#bytes, offset + 4, length - 4)) return undefined;
    const type = this.#bytes[offset + 24];
    const next = (Math.floor(lsn / this.#dataBytes) + 1) * this.#dataBytes;
    return {
      type,
      end: type === TYPE_PADDING ? next : lsn + Math.ceil(length / 8) * 8,
      fields: new FieldReader(this.#bytes, offset + LOG_RECORD_HEADER_BYTES, offset + length),
    };
  }

  /** Reads the records that wait. Returns the LSN at which they end. */
  readPending(): number {
    let lsn: number = this.#superblock.lsn;
    for (;;) {
      if (!this.#load(Math.floor(lsn / this.#dataBytes))) return lsn;
      if ((lsn % this.#dataBytes) + LOG_RECORD_HEADER_BYTES > this.#dataBytes) {
        lsn = (Math.floor(lsn / this.#dataBytes) + 1) * this.#dataBytes;
        continue;
      }
      const record = this.#recordAt(lsn);
      if (record === undefined) return lsn;
      if (record.type !== TYPE_PADDING) {
        try {
          decodeOperation(record.type, record.fields);
        } catch {
          this.#error(`log record ${lsn}`, 'it cannot be decoded', 'the store cannot be mounted');
          return lsn;
        }
        if (record.type !== TYPE_SYNCED) this.pending++;
      }
      lsn = record.end;
    }
  }

  filesTo(end: number): ReadonlyMap<number, string> {
    const isNeeded = (number: number): boolean =>
      number >= Math.floor(this.#superblock.lsn / this.#dataBytes) && number * this.#dataBytes <= end;
    return new Map(
      [...this.#segments].filter(([number]) => isNeeded(number)).map(([number, { name }]) => [number, name]),
    );
  }

  /** Where the log begins there is a segment, or the full one before it, after which none was begun. */
  checkBeginning(): void {
    const { lsn } = this.#superblock;
    const number = Math.floor(lsn / this.#dataBytes);
    const isThere = this.#segments.has(number) || (lsn % this.#dataBytes === 0 && this.#segments.has(number - 1));
    if (!isThere && this.#isReadable) this.#error(`log record ${lsn}`, 'missing', 'the operations in the log are lost');
  }

  /**
   * Looks for records beyond the end of the log. After a loss of power there may be some; while the host has been up they mean
   * that something in between was damaged.
   */
  checkGap(end: number): void {
    if (!this.#isReadable) return;
    const number = Math.floor(end / this.#dataBytes);
    const isBeyond = [...this.#segments.keys()].some(
      (other) => other >= number && this.#hasRecordFrom(other, Math.max(end, other * this.#dataBytes)),
    );
    if (!isBeyond) return;
    const problem = 'damaged or missing, but there are more after it';
    this.#error(`log record ${end}`, problem, 'the operations from there on are lost');
  }

  #hasRecordFrom(number: number, first: number): boolean {
    if (!this.#load(number)) return false;
    const last = (number + 1) * this.#dataBytes - LOG_RECORD_HEADER_BYTES;
    for (let lsn = first; lsn <= last; lsn += 8) if (this.#recordAt(lsn) !== undefined) return true;
    return false;
  }

  /** Looks for what was logged by a later mount than that of the superblock: further on than a loss of power leaves records. */
  checkLaterMount(end: number): void {
    if (!this.#isReadable) return;
    const beyond = Math.floor(end / this.#dataBytes) + UNSYNCED_SEGMENTS_MAX;
    for (const number of this.#segments.keys()) {
      const first = number * this.#dataBytes;
      if (number < beyond || !this.#load(number) || this.#recordAt(first) === undefined) continue;
      const problem = 'logged by a mount whose superblock is missing';
      this.#error(`log record ${first}`, problem, 'the operations from there on are lost');
      return;
    }
  }
}

/** `bootId`: that of this host, 32 hexadecimal digits. */
export function checkLog(disk: Disk, superblock: Superblock, bootId: string, findings: Findings): LogSummary {
  const check = new LogCheck(disk, superblock, findings);
  const hasLostPower = superblock.bootId !== bootId;
  check.checkSegments(hasLostPower);
  let end: number = superblock.lsn;
  if (!superblock.clean) check.checkBeginning();
  if (!superblock.clean) end = check.readPending();
  check.checkLaterMount(end);
  if (!superblock.clean) {
    if (!hasLostPower) check.checkGap(end);
    const effect = 'what follows is checked as of the last checkpoint';
    findings.note('log-pending', 'log', `${check.pending} operations wait to be replayed by the next mount`, effect);
  }
  return { pending: check.pending, end, files: check.filesTo(end) };
}
