/**
 * The form of operations in the log: each is a record (wal/log.ts) of the type given below, with the fields in the order in which
 * `encodeOperation` writes them.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asBlobId, asDatasetId, asIno, asLsn, type BlobId, type DatasetId, type Ino } from '../store/units.js';
import type { FieldReader, FieldWriter } from '../wal/record.js';
import { type PropertyValues, parseProperties } from './dataset.js';
import type { Timestamp } from './inode.js';
import type { KeptState, Operation, Xattr } from './operation.js';

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
  createVolume: 15,
  createSnapshot: 16,
  destroy: 17,
  renameDataset: 18,
  setProperties: 19,
  rollback: 20,
};

export const operationCode = (operation: Operation): number => TYPE_CODES[operation.type];

/** No operation has more bytes of fixed fields than this. */
const FIXED_BYTES_MAX = 128;

const xattrBytes = (xattrs: readonly Xattr[]): number =>
  xattrs.reduce((total, { name, value }) => total + 8 + name.length + value.length, 0);

const propertyBytes = (properties: PropertyValues): number => 8 + Buffer.byteLength(JSON.stringify(properties));

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
      return FIXED_BYTES_MAX + operation.name.length + propertyBytes(operation.properties);
    case 'renameDataset':
      return FIXED_BYTES_MAX + operation.name.length;
    case 'setProperties':
      return FIXED_BYTES_MAX + propertyBytes(operation.properties);
    case 'rollback': {
      const { keep, carried, path } = operation;
      const kept = keep === undefined ? 0 : keep.name.length + propertyBytes(keep.properties);
      return FIXED_BYTES_MAX + kept + [...carried, path].reduce((sum, one) => sum + 8 + Buffer.byteLength(one), 0);
    }
    case 'setAttributes':
    case 'resize':
    case 'writeBlob':
    case 'promote':
    case 'branchBlob':
    case 'takeChunks':
    case 'destroy':
      return FIXED_BYTES_MAX;
  }
}

function writeTime(out: FieldWriter, time: Timestamp): void {
  out.i64(time.seconds);
  out.u32(time.nanoseconds);
}

const writeText = (out: FieldWriter, text: string): void => out.bytes(Buffer.from(text, 'utf8'));
const writeProperties = (out: FieldWriter, properties: PropertyValues): void =>
  writeText(out, JSON.stringify(properties));
/** A dataset that may be missing: its number plus 1, or 0. */
const writeOptional = (out: FieldWriter, id: DatasetId | undefined): void => out.i64(id === undefined ? 0 : id + 1);

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
    case 'createVolume':
      out.i64(operation.id);
      writeOptional(out, operation.origin);
      out.u32(operation.uid);
      out.u32(operation.gid);
      writeTime(out, operation.time);
      writeText(out, operation.name);
      writeProperties(out, operation.properties);
      return;
    case 'createSnapshot':
      out.i64(operation.id);
      out.i64(operation.volume);
      writeTime(out, operation.time);
      writeText(out, operation.name);
      writeProperties(out, operation.properties);
      return;
    case 'destroy':
      out.i64(operation.id);
      return;
    case 'renameDataset':
      out.i64(operation.id);
      writeText(out, operation.name);
      return;
    case 'setProperties':
      out.i64(operation.id);
      writeProperties(out, operation.properties);
      return;
    case 'rollback':
      out.i64(operation.volume);
      out.i64(operation.snapshot);
      out.i64(operation.view);
      writeTime(out, operation.time);
      writeText(out, operation.path);
      writeOptional(out, operation.keep?.id);
      if (operation.keep !== undefined) {
        writeText(out, operation.keep.name);
        writeProperties(out, operation.keep.properties);
      }
      out.u32(operation.carried.length);
      for (const path of operation.carried) writeText(out, path);
      return;
  }
}

const readTime = (fields: FieldReader): Timestamp => ({ seconds: fields.i64(), nanoseconds: fields.u32() });
const readIno = (fields: FieldReader): Ino => asIno(fields.i64());
const readBlob = (fields: FieldReader): BlobId => asBlobId(fields.i64());
const readDatasetId = (fields: FieldReader): DatasetId => asDatasetId(fields.i64());
const readText = (fields: FieldReader): string => Buffer.from(fields.bytes()).toString('utf8');
const readProperties = (fields: FieldReader, id: DatasetId): PropertyValues => parseProperties(readText(fields), id);

function readOptional(fields: FieldReader): DatasetId | undefined {
  const value = fields.i64();
  return value === 0 ? undefined : asDatasetId(value - 1);
}

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
    default:
      return decodeDatasetOperation(code, fields);
  }
}

function decodeDatasetOperation(code: number, fields: FieldReader): Operation {
  switch (code) {
    case TYPE_CODES.createVolume: {
      const id = readDatasetId(fields);
      const origin = readOptional(fields);
      const [uid, gid, time] = [fields.u32(), fields.u32(), readTime(fields)];
      const name = readText(fields);
      return { type: 'createVolume', id, origin, uid, gid, time, name, properties: readProperties(fields, id) };
    }
    case TYPE_CODES.createSnapshot: {
      const [id, volume, time] = [readDatasetId(fields), readDatasetId(fields), readTime(fields)];
      const name = readText(fields);
      return { type: 'createSnapshot', id, volume, time, name, properties: readProperties(fields, id) };
    }
    case TYPE_CODES.destroy:
      return { type: 'destroy', id: readDatasetId(fields) };
    case TYPE_CODES.renameDataset:
      return { type: 'renameDataset', id: readDatasetId(fields), name: readText(fields) };
    case TYPE_CODES.setProperties: {
      const id = readDatasetId(fields);
      return { type: 'setProperties', id, properties: readProperties(fields, id) };
    }
    case TYPE_CODES.rollback: {
      const [volume, snapshot, view] = [readDatasetId(fields), readDatasetId(fields), readDatasetId(fields)];
      const time = readTime(fields);
      const path = readText(fields);
      const keep = readKept(fields);
      const carried: string[] = [];
      for (let count = fields.u32(); count > 0; count--) carried.push(readText(fields));
      return { type: 'rollback', volume, snapshot, view, time, path, keep, carried };
    }
    default:
      throw new CorruptionError('log record', `type ${code}`);
  }
}

function readKept(fields: FieldReader): KeptState | undefined {
  const id = readOptional(fields);
  if (id === undefined) return undefined;
  return { id, name: readText(fields), properties: readProperties(fields, id) };
}
