/**
 * The form of operations in the log: each is a record (wal/segment.ts) of the type given below, with the fields in the order in which
 * `encodeOperation` writes them. Those on volumes and snapshots are in dataset-operation-codec.ts.
 */
import { SMALL_FILE_BYTES_MAX } from '../blobs/packs.js';
import { CorruptionError } from '../errors/corruption.js';
import { asBlobId, asLsn, type BlobId } from '../store/units.js';
import type { FieldReader, FieldWriter } from '../wal/record.js';
import {
  DATASET_TYPE_CODES,
  datasetOperationBytes,
  decodeDatasetOperation,
  encodeDatasetOperation,
} from './dataset-operation-codec.js';
import type { Operation, Xattr } from './operation.js';
import { readIno, readTime, writeTime } from './operation-fields.js';
import { limitOf, storedLimit } from './quota-record.js';

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
  branchBlob: 13,
  takeChunks: 14,
  ...DATASET_TYPE_CODES,
  setQuota: 21,
  removeQuota: 22,
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
    case 'createVolume':
    case 'createSnapshot':
    case 'destroy':
    case 'renameDataset':
    case 'setProperties':
    case 'rollback':
    case 'adopt':
      return FIXED_BYTES_MAX + datasetOperationBytes(operation);
    case 'setAttributes':
    case 'resize':
    case 'writeBlob':
    case 'promote':
    case 'branchBlob':
    case 'takeChunks':
    case 'setQuota':
    case 'removeQuota':
      return FIXED_BYTES_MAX;
  }
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
      if (operation.parent === 0) out.i64(operation.directory);
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
    case 'branchBlob':
      out.i64(operation.ino);
      out.i64(operation.blob);
      return;
    case 'takeChunks':
      out.i64(operation.ino);
      out.i64(operation.blob);
      out.i64(operation.first);
      out.i64(operation.end);
      return;
    case 'setQuota':
      out.i64(operation.directory);
      out.i64(storedLimit(operation.limits.bytes));
      out.i64(storedLimit(operation.limits.inodes));
      out.i64(operation.inodes);
      return;
    case 'removeQuota':
      out.i64(operation.directory);
      return;
    case 'createVolume':
    case 'createSnapshot':
    case 'destroy':
    case 'renameDataset':
    case 'setProperties':
    case 'adopt':
    case 'rollback':
      encodeDatasetOperation(operation, out);
      return;
  }
}

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
      const directory = parent === 0 && !fields.isAtEnd ? readIno(fields) : parent;
      return { type: 'make', ino, parent, directory, mode, uid, gid, rdev, time, name, target, xattrs };
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
      const [time, data] = [readTime(fields), fields.bytes()];
      if (position < 0 || position + data.length > SMALL_FILE_BYTES_MAX) {
        throw new CorruptionError('log record', `data of a small file at byte ${position}`);
      }
      return { type: 'writeSmall', ino, position, mode, time, data };
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
    case TYPE_CODES.branchBlob:
      return { type: 'branchBlob', ino: readIno(fields), blob: readBlob(fields) };
    case TYPE_CODES.takeChunks:
      return {
        type: 'takeChunks',
        ino: readIno(fields),
        blob: readBlob(fields),
        first: fields.i64(),
        end: fields.i64(),
      };
    case TYPE_CODES.setQuota: {
      const directory = readIno(fields);
      const limits = { bytes: limitOf(fields.i64()), inodes: limitOf(fields.i64()) };
      return { type: 'setQuota', directory, limits, inodes: fields.i64() };
    }
    case TYPE_CODES.removeQuota:
      return { type: 'removeQuota', directory: readIno(fields) };
    default:
      return decodeDatasetOperation(code, fields);
  }
}
