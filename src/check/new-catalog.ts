/**
 * The catalog that a repair writes: the volumes and snapshots that stay, and what is counted in their trees as they are then.
 */
import { recordBytes } from '../store/arena.js';
import { asAddress, asDatasetId, MAIN_VOLUME, NO_ADDRESS, type PageNumber } from '../store/units.js';
import { highWord, keyWord2, lowWord } from '../tree/key.js';
import { type Dataset, MAIN_NAME, putDataset } from '../volume/dataset.js';
import {
  ARENA_PACKS,
  ARENA_STRINGS,
  DATASET_BYTES,
  KIND_DATASET,
  KIND_DEAD_BLOB,
  KIND_SEGMENT,
  KIND_SHARED_BLOB,
  KIND_SHARED_EXTENT,
  KIND_SHARED_STRING,
  SEGMENT_BYTES,
  SHARED_BYTES,
  segmentMinor,
  VOLUME_OBJECT,
  writeU64,
} from '../volume/items.js';
import { substituteName } from './dataset-rules.js';
import type { NewItems } from './new-items.js';
import type { RecordCensus } from './record-census.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { TreeWriter } from './tree-writer.js';

/** The strings of a catalog, with the bytes that each takes. */
export interface CatalogStrings {
  readonly address: number;
  readonly bytes: number;
}

/**
 * Puts the records of volumes and snapshots right, and writes their names and properties anew. Returns the strings. What is a
 * snapshot of nothing becomes a volume.
 */
export function settleDatasets(datasets: readonly Dataset[], nextDataset: number, items: NewItems): CatalogStrings[] {
  const strings: CatalogStrings[] = [];
  const add = (id: number, text: string): Dataset['nameAddress'] => {
    const address = items.addString({ object: VOLUME_OBJECT, kind: KIND_DATASET, minor: id }, text);
    strings.push({ address, bytes: recordBytes(Buffer.byteLength(text)) });
    return asAddress(address);
  };
  const names = new Set<string>([MAIN_NAME]);
  const next = nextNumber(datasets, nextDataset);
  for (const dataset of datasets) {
    const { id, name, properties } = dataset;
    const fullName = (candidate: string): string =>
      dataset.type === 'volume' ? candidate : `${dataset.volume}@${candidate}`;
    if (id !== MAIN_VOLUME && names.has(fullName(name))) dataset.name = substituteName(id);
    names.add(fullName(dataset.name));
    dataset.nameAddress = id === MAIN_VOLUME ? NO_ADDRESS : add(id, dataset.name);
    const hasProperties = Object.keys(properties).length > 0;
    dataset.propertiesAddress = hasProperties ? add(id, JSON.stringify(properties)) : NO_ADDRESS;
    if (dataset.view >= next) dataset.view = id;
    if (dataset.origin !== undefined && dataset.origin >= next) dataset.origin = undefined;
  }
  return strings;
}

/** The number of the next dataset: above those that there are, and not below the one that the store has, if that can be. */
export const nextNumber = (datasets: readonly Dataset[], nextDataset: number): number =>
  Math.max(nextDataset, ...datasets.map(({ id }) => id + 1));

/** A snapshot whose volume is gone, as a volume. */
export function asVolume(dataset: Dataset): Dataset {
  return { ...dataset, type: 'volume', volume: dataset.id, name: substituteName(dataset.id) };
}

/** What a volume is called that was found again. */
export const recoveredVolume = (id: number, root: PageNumber, createdMs: number): Dataset => ({
  id: asDatasetId(id),
  type: 'volume',
  name: id === MAIN_VOLUME ? MAIN_NAME : `recovered-${id}`,
  volume: asDatasetId(id),
  createdMs,
  root,
  inodes: 0,
  dataBytes: 0,
  properties: {},
  nameAddress: NO_ADDRESS,
  propertiesAddress: NO_ADDRESS,
  view: id,
  origin: undefined,
});

class CatalogWriter {
  readonly #writer: TreeWriter;

  constructor(writer: TreeWriter) {
    this.#writer = writer;
  }

  /** Adds items of a kind, which come after those of the kinds before. */
  add<Value>(
    kind: number,
    items: ReadonlyMap<number, Value>,
    bytes: number,
    put: (words: Uint32Array, value: Value, minor: number) => void,
  ): void {
    const words = new Uint32Array(bytes / 4);
    for (const minor of Float64Array.from(items.keys()).sort()) {
      const key = Uint32Array.of(
        highWord(VOLUME_OBJECT),
        lowWord(VOLUME_OBJECT),
        keyWord2(kind, minor),
        lowWord(minor),
      );
      put(words, items.get(minor) as Value, minor);
      this.#writer.add(key, 0, words, 0, bytes);
    }
  }
}

/** Writes the catalog's tree. `deadBlobs`: blobs that nothing uses. Returns its root. */
export function writeCatalog(
  writer: TreeWriter,
  datasets: readonly Dataset[],
  census: RecordCensus,
  store: StoreUnderCheck,
  deadBlobs: readonly number[],
): PageNumber {
  const catalog = new CatalogWriter(writer);
  const live = new Map(census.live);
  // Segments that hold nothing any more are named too, so that the next mount deletes them.
  for (const [arena, reader] of [
    [ARENA_STRINGS, store.strings],
    [ARENA_PACKS, store.packs],
  ] as const) {
    for (const { index } of reader.segments()) {
      const minor = segmentMinor(arena, index);
      live.set(minor, live.get(minor) ?? 0);
    }
  }
  const putCount = (words: Uint32Array, count: number): void => {
    words[0] = count;
  };
  catalog.add(KIND_DEAD_BLOB, new Map(deadBlobs.map((blob) => [blob, blob])), 0, () => undefined);
  catalog.add(KIND_SEGMENT, live, SEGMENT_BYTES, (words, bytes) => writeU64(words, 0, bytes));
  const byId = new Map(datasets.map((dataset) => [dataset.id as number, dataset]));
  catalog.add(KIND_DATASET, byId, DATASET_BYTES, (words, dataset) => putDataset(words, 0, dataset));
  catalog.add(KIND_SHARED_STRING, census.shared.string, SHARED_BYTES, putCount);
  catalog.add(KIND_SHARED_EXTENT, census.shared.extent, SHARED_BYTES, putCount);
  catalog.add(KIND_SHARED_BLOB, census.shared.blob, SHARED_BYTES, putCount);
  return writer.finish();
}
