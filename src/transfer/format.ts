/**
 * The stream in which a snapshot travels: bytes, little-endian.
 *
 *   byte   field
 *      0   "RZFSSEND"
 *      8   version, 32 bits: 1
 *     12   records, the first of type begin, the last of type end
 *
 *   record
 *      0   bytes of the payload, 32 bits
 *      4   type, 32 bits
 *      8   crc32c of the 8 bytes before and the payload
 *     12   payload
 *
 *   type             payload (text and bytes: a length of 32 bits before them; times: seconds 64 bits, nanoseconds 32 bits)
 *    1 begin         text: JSON, see StreamBeginning
 *    2 base          inode 64, parent 64, mode 32, name: an inode of the snapshot that the stream builds on; the root is 1
 *    3 detach        inode 64, parent 64, name: the name goes; the inode may get another one later
 *    4 make          inode 64, parent 64, mode 32, uid 32, gid 32, rdev 32, time of creation, name, target of a symlink
 *    5 name          inode 64, parent 64, name: a name for an inode that has been detached, or one more
 *    6 named         nothing: all names are as they are to be. What is still detached is gone
 *    7 size          inode 64, size 64
 *    8 data          inode 64, position 64, bytes
 *    9 hole          inode 64, position 64, length 64
 *   10 xattr         inode 64, name, value
 *   11 remove xattr  inode 64, name
 *   12 attributes    inode 64, mode 32, uid 32, gid 32, atime, mtime, ctime: the last record about an inode
 *   13 resume        count 64, outline 32: what comes before was said already, in `count` records of a stream that broke
 *   14 end           SHA-256 (32 bytes) of all bytes before this record
 *
 * Inodes are numbers that the sender has chosen; each is introduced, by base or make, before it is used, and a parent before its
 * children. `detach` records come before all that need the names that they free.
 *
 * The outline is a crc32c over the types and payloads of records, without the bytes of data. A stream that goes on with a broken one
 * leaves out what had come, but for base, detach, make and name, so that the receiver learns again which inodes are meant; the
 * outline shows that the sender has come by the same records.
 */
import { crc32c } from '../native/addon.js';
import { FieldWriter } from '../wal/record.js';

export const STREAM_MAGIC = Buffer.from('RZFSSEND');
export const STREAM_VERSION = 1;
export const STREAM_HEADER_BYTES = 12;
export const RECORD_HEADER_BYTES = 12;
export const DIGEST_BYTES = 32;
/** Bytes of the payload of a data record before those of the file. */
export const DATA_HEAD_BYTES = 20;
/** Bytes of data in one record. */
export const DATA_BYTES_MAX = 256 * 1024;
/** More than any record has; what claims to have more is no record. */
export const PAYLOAD_BYTES_MAX = 1024 * 1024;

export const RECORD_TYPES = {
  begin: 1,
  base: 2,
  detach: 3,
  make: 4,
  name: 5,
  named: 6,
  size: 7,
  data: 8,
  hole: 9,
  xattr: 10,
  removeXattr: 11,
  attributes: 12,
  resume: 13,
  end: 14,
} as const;

export type RecordType = keyof typeof RECORD_TYPES;

/** What is said again when a broken stream is gone on with. */
export const SAID_AGAIN: ReadonlySet<RecordType> = new Set(['base', 'detach', 'make', 'name']);

/** A snapshot, wherever it is: the same in all stores that have received it. */
export interface SnapshotIdentity {
  readonly name: string;
  /** 32 hexadecimal digits. */
  readonly guid: string;
}

/** Where a stream goes on. */
export interface ResumePoint {
  readonly count: number;
  readonly outline: number;
}

/** What a stream says of itself at its beginning. */
export interface StreamBeginning {
  /** The name of the volume that was sent. */
  readonly volume: string;
  readonly snapshot: SnapshotIdentity & {
    /** Milliseconds since 1970. */
    readonly createdMs: number;
    readonly properties: Readonly<Record<string, unknown>>;
    /** To say how far the stream is. */
    readonly inodes: number;
    readonly dataBytes: number;
  };
  /** The snapshot that the stream builds on; null for a whole one. */
  readonly base: SnapshotIdentity | null;
  /** Null for a stream from its beginning. */
  readonly resume: ResumePoint | null;
}

export function streamHeader(): Buffer {
  const header = Buffer.alloc(STREAM_HEADER_BYTES);
  STREAM_MAGIC.copy(header);
  header.writeUInt32LE(STREAM_VERSION, STREAM_MAGIC.length);
  return header;
}

/** Bytes of the fields of fixed length of any record. */
const FIXED_BYTES_MAX = 128;

/** The payload that `write` makes; `variable`: bytes of its texts. */
export function payloadOf(variable: number, write: (out: FieldWriter) => void): Buffer {
  const bytes = Buffer.alloc(FIXED_BYTES_MAX + variable);
  const out = new FieldWriter();
  out.begin(bytes, 0);
  write(out);
  return bytes.subarray(0, out.position);
}

export function encodeRecord(type: RecordType, payload: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + payload.length);
  record.writeUInt32LE(payload.length, 0);
  record.writeUInt32LE(RECORD_TYPES[type], 4);
  record.set(payload, RECORD_HEADER_BYTES);
  record.writeUInt32LE(recordChecksum(record, payload.length), 8);
  return record;
}

/** The checksum of a record with a payload of this length, which stands in its bytes 8 to 11. */
export const recordChecksum = (record: Uint8Array, length: number): number =>
  crc32c(record, RECORD_HEADER_BYTES, length, crc32c(record, 0, 8));

/** The outline after one more record. `head`: its payload, without the bytes of data. */
export function outlineAfter(outline: number, type: RecordType, head: Uint8Array): number {
  const code = Uint8Array.of(RECORD_TYPES[type]);
  return crc32c(head, 0, head.length, crc32c(code, 0, 1, outline));
}
