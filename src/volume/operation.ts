/**
 * The operations of a volume: every change to it is one of these, as a value that can be logged, applied, and read back from the
 * log and applied again.
 *
 * They are logical (names and numbers, not pages), already checked against the volume's state, and carry everything that is
 * decided outside: inode numbers, times, resulting modes. Applying one therefore cannot fail for any reason of its own.
 *
 * On disk each is a log record (wal/segment.ts) of the type given below, with the fields in the order of `encode`.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asBlobId, asIno, asLsn, type BlobId, type Ino, type Lsn } from '../store/units.js';
import type { FieldReader, FieldWriter } from '../wal/record.js';
import type { Timestamp } from './inode.js';

export type Operation =
  | MakeOperation
  | LinkOperation
  | UnlinkOperation
  | RenameOperation
  | SetAttributesOperation
  | ResizeOperation
  | WriteSmallOperation
  | WriteBlobOperation
  | PromoteOperation
  | SetXattrOperation
  | RemoveXattrOperation
  | SyncedOperation;

/** A new inode; with parent 0 one without a name (O_TMPFILE). */
export interface MakeOperation {
  readonly type: 'make';
  readonly ino: Ino;
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** The target of a symlink, otherwise empty. */
  readonly target: Uint8Array;
  /** The access control lists that it is born with. */
  readonly xattrs: readonly Xattr[];
  readonly time: Timestamp;
}

export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface LinkOperation {
  readonly type: 'link';
  readonly ino: Ino;
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

/** Takes a name away, of a file or of an empty directory. */
export interface UnlinkOperation {
  readonly type: 'unlink';
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

export interface RenameOperation {
  readonly type: 'rename';
  readonly parent: Ino;
  readonly name: Uint8Array;
  readonly toParent: Ino;
  readonly toName: Uint8Array;
  readonly exchange: boolean;
  /** A blob whose data must be durable before this record counts after a loss of power, or 0. */
  readonly barrier: BlobId;
  readonly time: Timestamp;
}

/** Sets all of these. */
export interface SetAttributesOperation {
  readonly type: 'setAttributes';
  readonly ino: Ino;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
}

/** Cuts or extends a file; its mode may lose bits with it. */
export interface ResizeOperation {
  readonly type: 'resize';
  readonly ino: Ino;
  readonly size: number;
  readonly mode: number;
  readonly time: Timestamp;
}

/** Writes to a file whose data is, or comes to be, in a pack. */
export interface WriteSmallOperation {
  readonly type: 'writeSmall';
  readonly ino: Ino;
  readonly position: number;
  readonly data: Uint8Array;
  readonly mode: number;
  readonly time: Timestamp;
}

/** Data was written to a blob, which the file gets with this if it had no data. The file reaches at least to `end`. */
export interface WriteBlobOperation {
  readonly type: 'writeBlob';
  readonly ino: Ino;
  readonly blob: BlobId;
  readonly end: number;
  readonly mode: number;
  readonly time: Timestamp;
}

/** The data of a small file was copied to a blob, which must be durable before this record counts after a loss of power. */
export interface PromoteOperation {
  readonly type: 'promote';
  readonly ino: Ino;
  readonly blob: BlobId;
}

export interface SetXattrOperation {
  readonly type: 'setXattr';
  readonly ino: Ino;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  /** The mode after it, which an access ACL may change. */
  readonly mode: number;
  readonly time: Timestamp;
}

export interface RemoveXattrOperation {
  readonly type: 'removeXattr';
  readonly ino: Ino;
  readonly name: Uint8Array;
  readonly time: Timestamp;
}

/** All that was written to these blobs, or to every blob, before the record at an LSN was logged, is durable. */
export interface SyncedOperation {
  readonly type: 'synced';
  readonly before: Lsn;
  readonly blobs: readonly BlobId[] | 'all';
}

const TYPE_CODES: Readonly<Record<Operation['type'], number>> = {
  make: 1,
  link: 2,
  unlink: 3,
  rename: 4,
  setAttributes: 5,
  resize: 6,
  writeSmall: 7,
  writeBlob: 8,
  promote: 9,
  setXattr: 10,
  removeXattr: 11,
  synced: 12,
};

export const operationCode = (operation: Operation): number => TYPE_CODES[operation.type];

/** No operation has more bytes of fixed fields than this. */
const FIXED_BYTES_MAX = 128;

const xattrBytes = (xattrs: readonly Xattr[]): number =>
  xattrs.reduce((total, { name, value }) => total + 8 + name.length + value.length, 0);

/** At least as many bytes as the operation's fields take in the log. */
export function encodedBytesMax(operation: Operation): number {
  switch (operation.type) {
    case 'make':
      return FIXED_BYTES_MAX + operation.name.length + operation.target.length + xattrBytes(operation.xattrs);
    case 'link':
    case 'unlink':
    case 'removeXattr':
      return FIXED_BYTES_MAX + operation.name.length;
    case 'rename':
      return FIXED_BYTES_MAX + operation.name.length + operation.toName.length;
    case 'writeSmall':
      return FIXED_BYTES_MAX + operation.data.length;
    case 'setXattr':
      return FIXED_BYTES_MAX + operation.name.length + operation.value.length;
    case 'synced':
      return FIXED_BYTES_MAX + operation.blobs.length * 8;
    case 'setAttributes':
    case 'resize':
    case 'writeBlob':
    case 'promote':
      return FIXED_BYTES_MAX;
  }
}

function writeTime(out: FieldWriter, time: Timestamp): void {
  out.i64(time.seconds);
  out.u32(time.nanoseconds);
}

export function encodeOperation(operation: Operation, out: FieldWriter): void {
  switch (operation.type) {
    case 'make':
      out.i64(operation.ino);
      out.i64(operation.parent);
      out.u32(operation.mode);
      out.u32(operation.uid);
      out.u32(operation.gid);
      out.u32(operation.rdev);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      out.bytes(operation.target);
      out.u8(operation.xattrs.length);
      for (const { name, value } of operation.xattrs) {
        out.bytes(name);
        out.bytes(value);
      }
      return;
    case 'link':
      out.i64(operation.ino);
      out.i64(operation.parent);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      return;
    case 'unlink':
      out.i64(operation.parent);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      return;
    case 'rename':
      out.i64(operation.parent);
      out.i64(operation.toParent);
      out.u8(operation.exchange ? 1 : 0);
      out.i64(operation.barrier);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      out.bytes(operation.toName);
      return;
    case 'setAttributes':
      out.i64(operation.ino);
      out.u32(operation.mode);
      out.u32(operation.uid);
      out.u32(operation.gid);
      writeTime(out, operation.atime);
      writeTime(out, operation.mtime);
      writeTime(out, operation.ctime);
      return;
    case 'resize':
      out.i64(operation.ino);
      out.i64(operation.size);
      out.u32(operation.mode);
      writeTime(out, operation.time);
      return;
    case 'writeSmall':
      out.i64(operation.ino);
      out.i64(operation.position);
      out.u32(operation.mode);
      writeTime(out, operation.time);
      out.bytes(operation.data);
      return;
    case 'writeBlob':
      out.i64(operation.ino);
      out.i64(operation.blob);
      out.i64(operation.end);
      out.u32(operation.mode);
      writeTime(out, operation.time);
      return;
    case 'promote':
      out.i64(operation.ino);
      out.i64(operation.blob);
      return;
    case 'setXattr':
      out.i64(operation.ino);
      out.u32(operation.mode);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      out.bytes(operation.value);
      return;
    case 'removeXattr':
      out.i64(operation.ino);
      writeTime(out, operation.time);
      out.bytes(operation.name);
      return;
    case 'synced':
      out.i64(operation.before);
      if (operation.blobs === 'all') {
        out.u8(1);
        return;
      }
      out.u8(0);
      out.u32(operation.blobs.length);
      for (const blob of operation.blobs) out.i64(blob);
      return;
  }
}

const readTime = (fields: FieldReader): Timestamp => ({ seconds: fields.i64(), nanoseconds: fields.u32() });
const readIno = (fields: FieldReader): Ino => asIno(fields.i64());
const readBlob = (fields: FieldReader): BlobId => asBlobId(fields.i64());

/** Reads an operation back; throws CorruptionError for what this program cannot have written. */
export function decodeOperation(code: number, fields: FieldReader): Operation {
  switch (code) {
    case TYPE_CODES.make: {
      const [ino, parent] = [readIno(fields), readIno(fields)];
      const [mode, uid, gid, rdev] = [fields.u32(), fields.u32(), fields.u32(), fields.u32()];
      const time = readTime(fields);
      const [name, target] = [fields.bytes(), fields.bytes()];
      const xattrs: Xattr[] = [];
      for (let count = fields.u8(); count > 0; count--) xattrs.push({ name: fields.bytes(), value: fields.bytes() });
      return { type: 'make', ino, parent, mode, uid, gid, rdev, time, name, target, xattrs };
    }
    case TYPE_CODES.link:
      return {
        type: 'link',
        ino: readIno(fields),
        parent: readIno(fields),
        time: readTime(fields),
        name: fields.bytes(),
      };
    case TYPE_CODES.unlink:
      return { type: 'unlink', parent: readIno(fields), time: readTime(fields), name: fields.bytes() };
    case TYPE_CODES.rename: {
      const [parent, toParent] = [readIno(fields), readIno(fields)];
      const exchange = fields.u8() === 1;
      const barrier = readBlob(fields);
      const time = readTime(fields);
      return {
        type: 'rename',
        parent,
        toParent,
        exchange,
        barrier,
        time,
        name: fields.bytes(),
        toName: fields.bytes(),
      };
    }
    case TYPE_CODES.setAttributes: {
      const ino = readIno(fields);
      const [mode, uid, gid] = [fields.u32(), fields.u32(), fields.u32()];
      const [atime, mtime, ctime] = [readTime(fields), readTime(fields), readTime(fields)];
      return { type: 'setAttributes', ino, mode, uid, gid, atime, mtime, ctime };
    }
    case TYPE_CODES.resize:
      return { type: 'resize', ino: readIno(fields), size: fields.i64(), mode: fields.u32(), time: readTime(fields) };
    case TYPE_CODES.writeSmall: {
      const ino = readIno(fields);
      const position = fields.i64();
      const mode = fields.u32();
      return { type: 'writeSmall', ino, position, mode, time: readTime(fields), data: fields.bytes() };
    }
    case TYPE_CODES.writeBlob: {
      const ino = readIno(fields);
      const blob = readBlob(fields);
      return { type: 'writeBlob', ino, blob, end: fields.i64(), mode: fields.u32(), time: readTime(fields) };
    }
    case TYPE_CODES.promote:
      return { type: 'promote', ino: readIno(fields), blob: readBlob(fields) };
    case TYPE_CODES.setXattr: {
      const ino = readIno(fields);
      const mode = fields.u32();
      return { type: 'setXattr', ino, mode, time: readTime(fields), name: fields.bytes(), value: fields.bytes() };
    }
    case TYPE_CODES.removeXattr:
      return { type: 'removeXattr', ino: readIno(fields), time: readTime(fields), name: fields.bytes() };
    case TYPE_CODES.synced: {
      const before = asLsn(fields.i64());
      if (fields.u8() === 1) return { type: 'synced', before, blobs: 'all' };
      const blobs: BlobId[] = [];
      for (let count = fields.u32(); count > 0; count--) blobs.push(readBlob(fields));
      return { type: 'synced', before, blobs };
    }
    default:
      throw new CorruptionError('log record', `type ${code}`);
  }
}
