/**
 * What a stream says of itself at its beginning, checked: it comes from anywhere.
 */
import { isDatasetName } from '../volume/dataset.js';
import type { ResumePoint, SnapshotIdentity, StreamBeginning } from './format.js';
import { badStream, type IncomingRecord } from './stream-reader.js';

const GUID_PATTERN = /^[0-9a-f]{32}$/;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

export function isIdentity(value: unknown): value is SnapshotIdentity {
  if (!isObject(value)) return false;
  const { name, guid } = value;
  return typeof name === 'string' && isDatasetName(name) && typeof guid === 'string' && GUID_PATTERN.test(guid);
}

export const isResumePoint = (value: unknown): value is ResumePoint =>
  isObject(value) && isCount(value.count) && isCount(value.outline);

function isBeginning(value: unknown): value is StreamBeginning {
  if (!isObject(value)) return false;
  const { volume, snapshot, base, resume } = value;
  if (typeof volume !== 'string' || !isDatasetName(volume) || !isIdentity(snapshot) || !isObject(snapshot))
    return false;
  const { createdMs, properties, inodes, dataBytes } = snapshot;
  const isDescribed = isCount(createdMs) && isObject(properties) && isCount(inodes) && isCount(dataBytes);
  return isDescribed && (base === null || isIdentity(base)) && (resume === null || isResumePoint(resume));
}

/** Reads the first record of a stream. Throws StoreError. */
export function parseBeginning({ fields }: IncomingRecord): StreamBeginning {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(fields.bytes()).toString('utf8'));
  } catch {
    throw badStream('it does not say what it is');
  }
  if (!isBeginning(value)) throw badStream('it does not say what it is');
  return value;
}
