/**
 * Datasets: the volumes and snapshots of a store, each the value of a DATASET item of the catalog.
 *
 *   word   field
 *      0   root page of its tree
 *      1   type: 1 volume, 2 snapshot
 *    2-3   of a snapshot: the volume that it was taken of; of a volume: 0
 *    4-5   time of creation, milliseconds since 1970
 *    6-7   inodes in use
 *    8-9   sizes of all regular files, bytes
 *  10-11   address of the name in the string table; 0 for `main`, which keeps its name
 *  12-13   address of the properties in the string table: a JSON object, UTF-8; 0 for none
 *  14-15   view (filesystem/namespace.ts): the number by which open files tell this tree from others that were in its place
 *  16-17   of a volume: the snapshot that it was made from or rolled back to last, plus 1; 0 for none
 *
 * Names of volumes are unique in a store, names of snapshots among those of their volume.
 */
import { CorruptionError } from '../errors/corruption.js';
import { StoreError } from '../errors/store-error.js';
import {
  type Address,
  asAddress,
  asDatasetId,
  asPageNumber,
  type DatasetId,
  MAIN_VOLUME,
  NO_ADDRESS,
  type PageNumber,
} from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { DATASET_BYTES, KIND_DATASET, readU64, VOLUME_OBJECT, writeU64 } from './items.js';

export type DatasetType = 'volume' | 'snapshot';

const TYPE_CODES: Readonly<Record<DatasetType, number>> = { volume: 1, snapshot: 2 };

/** What a user has set: see properties.ts for those that are known. Everything in it is kept, known or not. */
export type PropertyValues = Readonly<Record<string, unknown>>;

/** A volume or a snapshot, as the catalog has it; for an open volume, as it is now. */
export interface Dataset {
  readonly id: DatasetId;
  readonly type: DatasetType;
  name: string;
  /** The volume of a snapshot; of a volume, itself. */
  readonly volume: DatasetId;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  root: PageNumber;
  inodes: number;
  dataBytes: number;
  properties: PropertyValues;
  nameAddress: Address;
  propertiesAddress: Address;
  view: number;
  /** The snapshot that a volume was made from or rolled back to last. */
  origin: DatasetId | undefined;
}

/** Bytes of a name. */
export const DATASET_NAME_BYTES_MAX = 128;
const NAME_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9_.:+-]*$/;

/** Whether a volume or a snapshot may have this name: letters, digits and `_ . : + -`, the first of them no punctuation. */
export const isDatasetName = (name: string): boolean =>
  name.length <= DATASET_NAME_BYTES_MAX && NAME_PATTERN.test(name);

/** Reads the record at the tree's position, without the strings that it points to; undefined for a type that does not exist. */
export function readDataset(words: Uint32Array, at: number, id: DatasetId): Dataset | undefined {
  const type = (['volume', 'snapshot'] as const).find((candidate) => TYPE_CODES[candidate] === words[at + 1]);
  if (type === undefined) return undefined;
  const origin = readU64(words, at + 16);
  return {
    id,
    type,
    name: '',
    volume: type === 'volume' ? id : asDatasetId(readU64(words, at + 2)),
    createdMs: readU64(words, at + 4),
    root: asPageNumber(words[at]),
    inodes: readU64(words, at + 6),
    dataBytes: readU64(words, at + 8),
    properties: {},
    nameAddress: asAddress(readU64(words, at + 10)),
    propertiesAddress: asAddress(readU64(words, at + 12)),
    view: readU64(words, at + 14),
    origin: origin === 0 ? undefined : asDatasetId(origin - 1),
  };
}

/** The volume that each store is made with. */
export const MAIN_NAME = 'main';

export function mainVolume(root: PageNumber, createdMs: number, inodes: number, dataBytes: number): Dataset {
  return {
    id: MAIN_VOLUME,
    type: 'volume',
    name: MAIN_NAME,
    volume: MAIN_VOLUME,
    createdMs,
    root,
    inodes,
    dataBytes,
    properties: {},
    nameAddress: NO_ADDRESS,
    propertiesAddress: NO_ADDRESS,
    view: 0,
    origin: undefined,
  };
}

/** Adds a record to the catalog. */
export function insertDataset(catalog: Tree, dataset: Dataset): void {
  catalog.insert(VOLUME_OBJECT, KIND_DATASET, dataset.id, DATASET_BYTES);
  writeDataset(catalog, dataset);
}

/** Writes the record over the one in the catalog. Throws CorruptionError when there is none. */
export function writeDataset(catalog: Tree, dataset: Dataset): void {
  if (!catalog.modify(VOLUME_OBJECT, KIND_DATASET, dataset.id)) {
    throw new CorruptionError(`dataset ${dataset.id}`, 'missing');
  }
  putDataset(catalog.words, catalog.valueWord, dataset);
}

/** Puts the record into words. */
export function putDataset(words: Uint32Array, at: number, dataset: Dataset): void {
  words[at] = dataset.root;
  words[at + 1] = TYPE_CODES[dataset.type];
  writeU64(words, at + 2, dataset.type === 'volume' ? 0 : dataset.volume);
  writeU64(words, at + 4, dataset.createdMs);
  writeU64(words, at + 6, dataset.inodes);
  writeU64(words, at + 8, Math.min(dataset.dataBytes, Number.MAX_SAFE_INTEGER));
  writeU64(words, at + 10, dataset.nameAddress);
  writeU64(words, at + 12, dataset.propertiesAddress);
  writeU64(words, at + 14, dataset.view);
  writeU64(words, at + 16, dataset.origin === undefined ? 0 : dataset.origin + 1);
}

/** The refusal to use a dataset that has been destroyed since it was looked up. */
export const gone = ({ type, name }: Dataset): StoreError =>
  new StoreError(
    `no-such-${type}`,
    `The ${type} "${name}" was destroyed meanwhile.`,
    'See what there is with: razorfs volume list, razorfs snapshot list',
  );

/** Properties as the string table or the log has them. Throws CorruptionError. */
export function parseProperties(text: string, id: DatasetId): PropertyValues {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as PropertyValues;
  } catch {
    // Not JSON: as bad as JSON of another kind.
  }
  throw new CorruptionError(`dataset ${id}`, 'its properties are not a JSON object');
}
