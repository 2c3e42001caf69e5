/**
 * The catalog: which volumes and snapshots a store has. Names and properties change in its tree at once; the roots and counters of
 * volumes, which change with each operation, are brought up to date when a checkpoint begins.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asDatasetId, type DatasetId, MAIN_VOLUME, NO_ADDRESS } from '../store/units.js';
import type { StringTable } from '../strings/string-table.js';
import type { Tree } from '../tree/tree.js';
import {
  type Dataset,
  insertDataset,
  MAIN_NAME,
  type PropertyValues,
  parseProperties,
  readDataset,
  writeDataset,
} from './dataset.js';
import { KIND_DATASET, VOLUME_OBJECT } from './items.js';

export class Catalog {
  readonly tree: Tree;
  readonly #strings: StringTable;
  readonly #datasets = new Map<DatasetId, Dataset>();
  /** Told when there is, or is no more, a snapshot of a name. */
  onSnapshotName: ((volume: DatasetId, name: string) => void) | undefined;

  constructor(tree: Tree, strings: StringTable) {
    this.tree = tree;
    this.#strings = strings;
  }

  /** Reads all datasets. Throws CorruptionError. */
  load(): void {
    const found: Dataset[] = [];
    const { tree } = this;
    for (let more = tree.seek(VOLUME_OBJECT, KIND_DATASET, 0); more; more = tree.next()) {
      if (!tree.isAt(VOLUME_OBJECT, KIND_DATASET)) break;
      const dataset = readDataset(tree.words, tree.valueWord, asDatasetId(tree.minor));
      if (dataset === undefined) throw new CorruptionError(`dataset ${tree.minor}`, 'of an unknown type');
      found.push(dataset);
    }
    for (const dataset of found) {
      dataset.name = dataset.nameAddress === NO_ADDRESS ? MAIN_NAME : this.#text(dataset.nameAddress);
      if (dataset.propertiesAddress !== NO_ADDRESS) {
        dataset.properties = parseProperties(this.#text(dataset.propertiesAddress), dataset.id);
      }
      this.#datasets.set(dataset.id, dataset);
    }
  }

  /** Takes the only volume of a store of format 1, for which there is no item. */
  adopt(dataset: Dataset): void {
    this.#datasets.set(dataset.id, dataset);
  }

  #text(address: Dataset['nameAddress']): string {
    return Buffer.from(this.#strings.get(address)).toString('utf8');
  }

  /** In the order of their making. */
  get all(): readonly Dataset[] {
    return [...this.#datasets.values()];
  }

  /** Whether a page may belong to two trees. */
  get hasSharedTrees(): boolean {
    return this.#datasets.size > 1;
  }

  get volumes(): readonly Dataset[] {
    return this.all.filter(({ type }) => type === 'volume');
  }

  /** The snapshots of a volume, the oldest first. */
  snapshots(volume: DatasetId): readonly Dataset[] {
    return this.all.filter(({ type, volume: of }) => type === 'snapshot' && of === volume);
  }

  get(id: DatasetId): Dataset | undefined {
    return this.#datasets.get(id);
  }

  volumeNamed(name: string): Dataset | undefined {
    return this.volumes.find((dataset) => dataset.name === name);
  }

  snapshotNamed(volume: DatasetId, name: string): Dataset | undefined {
    return this.snapshots(volume).find((dataset) => dataset.name === name);
  }

  /** A dataset that an operation names: it exists, or the store is damaged. */
  require(id: DatasetId): Dataset {
    const dataset = this.#datasets.get(id);
    if (dataset === undefined) throw new CorruptionError(`dataset ${id}`, 'missing');
    return dataset;
  }

  /** Adds a dataset, whose root has a reference for it. */
  add(dataset: Dataset): void {
    this.#datasets.set(dataset.id, dataset);
    if (dataset.id !== MAIN_VOLUME) dataset.nameAddress = this.#addText(dataset.id, dataset.name);
    this.#setProperties(dataset, dataset.properties);
    insertDataset(this.tree, dataset);
    this.#tell(dataset);
  }

  #tell({ type, volume, name }: Dataset): void {
    if (type === 'snapshot') this.onSnapshotName?.(volume, name);
  }

  #addText(id: DatasetId, text: string): Dataset['nameAddress'] {
    return this.#strings.add({ object: VOLUME_OBJECT, kind: KIND_DATASET, minor: id }, Buffer.from(text, 'utf8'));
  }

  /** Takes a dataset away. The reference to its root is the caller's from then on. */
  remove(dataset: Dataset): void {
    this.#strings.release(dataset.nameAddress);
    if (dataset.propertiesAddress !== NO_ADDRESS) this.#strings.release(dataset.propertiesAddress);
    this.tree.remove(VOLUME_OBJECT, KIND_DATASET, dataset.id);
    this.#datasets.delete(dataset.id);
    this.#tell(dataset);
  }

  rename(dataset: Dataset, name: string): void {
    this.#strings.release(dataset.nameAddress);
    this.#tell(dataset);
    dataset.name = name;
    this.#tell(dataset);
    dataset.nameAddress = this.#addText(dataset.id, name);
    writeDataset(this.tree, dataset);
  }

  setProperties(dataset: Dataset, properties: PropertyValues): void {
    if (dataset.propertiesAddress !== NO_ADDRESS) this.#strings.release(dataset.propertiesAddress);
    this.#setProperties(dataset, properties);
    writeDataset(this.tree, dataset);
  }

  #setProperties(dataset: Dataset, properties: PropertyValues): void {
    dataset.properties = properties;
    const isEmpty = Object.keys(properties).length === 0;
    dataset.propertiesAddress = isEmpty ? NO_ADDRESS : this.#addText(dataset.id, JSON.stringify(properties));
  }

  /** Brings a dataset's item up to date with its root, counters and view. */
  save(dataset: Dataset): void {
    writeDataset(this.tree, dataset);
  }

  /** The compactor has moved one of a dataset's strings. */
  reload(id: DatasetId): void {
    const { tree } = this;
    const dataset = this.#datasets.get(id);
    if (dataset === undefined || !tree.find(VOLUME_OBJECT, KIND_DATASET, id)) return;
    const saved = readDataset(tree.words, tree.valueWord, id);
    if (saved === undefined) return;
    dataset.nameAddress = saved.nameAddress;
    dataset.propertiesAddress = saved.propertiesAddress;
  }
}
