/**
 * The form of the operations on volumes and snapshots in the log (operation-codec.ts).
 */
import { CorruptionError } from '../errors/corruption.js';
import { asDatasetId, type DatasetId } from '../store/units.js';
import type { FieldReader, FieldWriter } from '../wal/record.js';
import { type PropertyValues, parseProperties } from './dataset.js';
import type { DatasetOperation, KeptState } from './operation.js';
import { readText, readTime, writeText, writeTime } from './operation-fields.js';

export const DATASET_TYPE_CODES: Readonly<Record<DatasetOperation['type'], number>> = {
  createVolume: 15,
  createSnapshot: 16,
  destroy: 17,
  renameDataset: 18,
  setProperties: 19,
  rollback: 20,
  adopt: 23,
};

/** Beside the number of paths that a rollback carries over: it does so in place. */
const IN_PLACE = 0x8000_0000;

const propertyBytes = (properties: PropertyValues): number => 8 + Buffer.byteLength(JSON.stringify(properties));

/** At least as many bytes as the fields of variable length take in the log. */
export function datasetOperationBytes(operation: DatasetOperation): number {
  switch (operation.type) {
    case 'createVolume':
    case 'createSnapshot':
      return operation.name.length + propertyBytes(operation.properties);
    case 'destroy':
      return 0;
    case 'renameDataset':
      return operation.name.length;
    case 'setProperties':
      return propertyBytes(operation.properties);
    case 'adopt': {
      const { name, properties, snapshot } = operation;
      const taken = snapshot.name.length + propertyBytes(snapshot.properties);
      return name.length + propertyBytes(properties) + taken;
    }
    case 'rollback': {
      const { keep, carried, path } = operation;
      const kept = keep === undefined ? 0 : keep.name.length + propertyBytes(keep.properties);
      return kept + [...carried, path].reduce((sum, one) => sum + 8 + Buffer.byteLength(one), 0);
    }
  }
}

const writeProperties = (out: FieldWriter, properties: PropertyValues): void =>
  writeText(out, JSON.stringify(properties));
/** A dataset that may be missing: its number plus 1, or 0. */
const writeOptional = (out: FieldWriter, id: DatasetId | undefined): void => out.i64(id === undefined ? 0 : id + 1);

export function encodeDatasetOperation(operation: DatasetOperation, out: FieldWriter): void {
  switch (operation.type) {
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
      out.u32((operation.carried.length | (operation.isInPlace ? IN_PLACE : 0)) >>> 0);
      for (const path of operation.carried) writeText(out, path);
      return;
    case 'adopt':
      out.i64(operation.volume);
      out.i64(operation.from);
      out.i64(operation.view);
      writeTime(out, operation.time);
      writeText(out, operation.name);
      writeProperties(out, operation.properties);
      out.i64(operation.snapshot.id);
      writeText(out, operation.snapshot.name);
      writeProperties(out, operation.snapshot.properties);
      return;
  }
}

const readDatasetId = (fields: FieldReader): DatasetId => asDatasetId(fields.i64());
const readProperties = (fields: FieldReader, id: DatasetId): PropertyValues => parseProperties(readText(fields), id);

function readOptional(fields: FieldReader): DatasetId | undefined {
  const value = fields.i64();
  return value === 0 ? undefined : asDatasetId(value - 1);
}

/** Throws CorruptionError for what this program cannot have written. */
export function decodeDatasetOperation(code: number, fields: FieldReader): DatasetOperation {
  switch (code) {
    case DATASET_TYPE_CODES.createVolume: {
      const id = readDatasetId(fields);
      const origin = readOptional(fields);
      const [uid, gid, time] = [fields.u32(), fields.u32(), readTime(fields)];
      const name = readText(fields);
      return { type: 'createVolume', id, origin, uid, gid, time, name, properties: readProperties(fields, id) };
    }
    case DATASET_TYPE_CODES.createSnapshot: {
      const [id, volume, time] = [readDatasetId(fields), readDatasetId(fields), readTime(fields)];
      const name = readText(fields);
      return { type: 'createSnapshot', id, volume, time, name, properties: readProperties(fields, id) };
    }
    case DATASET_TYPE_CODES.destroy:
      return { type: 'destroy', id: readDatasetId(fields) };
    case DATASET_TYPE_CODES.renameDataset:
      return { type: 'renameDataset', id: readDatasetId(fields), name: readText(fields) };
    case DATASET_TYPE_CODES.setProperties: {
      const id = readDatasetId(fields);
      return { type: 'setProperties', id, properties: readProperties(fields, id) };
    }
    case DATASET_TYPE_CODES.rollback: {
      const [volume, snapshot, view] = [readDatasetId(fields), readDatasetId(fields), readDatasetId(fields)];
      const time = readTime(fields);
      const path = readText(fields);
      const keep = readKept(fields);
      const [count, carried] = [fields.u32(), [] as string[]];
      for (let left = count & ~IN_PLACE; left > 0; left--) carried.push(readText(fields));
      const isInPlace = (count & IN_PLACE) !== 0;
      return { type: 'rollback', volume, snapshot, view, time, path, keep, carried, isInPlace };
    }
    case DATASET_TYPE_CODES.adopt: {
      const [volume, from, view] = [readDatasetId(fields), readDatasetId(fields), readDatasetId(fields)];
      const [time, name] = [readTime(fields), readText(fields)];
      const properties = readProperties(fields, volume);
      const id = readDatasetId(fields);
      const snapshot = { id, name: readText(fields), properties: readProperties(fields, id) };
      return { type: 'adopt', volume, from, view, time, name, properties, snapshot };
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
