/**
 * The rules for volumes and snapshots: what their records in the catalog must be like, each by itself and among the others. Their
 * trees are looked at elsewhere.
 */
import { type Address, MAIN_VOLUME, NO_ADDRESS } from '../store/units.js';
import { type Dataset, isDatasetName, MAIN_NAME, parseProperties } from '../volume/dataset.js';
import { KIND_DATASET, VOLUME_OBJECT } from '../volume/items.js';
import type { Findings } from './findings.js';
import { printable } from './paths.js';
import type { RecordCensus } from './record-census.js';
import type { StoreUnderCheck } from './store-under-check.js';

/** The name of a volume or snapshot whose own cannot be read. */
export const substituteName = (id: number): string => `dataset-${id}`;

export class DatasetRules {
  readonly #store: StoreUnderCheck;
  readonly #census: RecordCensus;
  readonly #findings: Findings;

  constructor(store: StoreUnderCheck, census: RecordCensus, findings: Findings) {
    this.#store = store;
    this.#census = census;
    this.#findings = findings;
  }

  #error(id: number, problem: string, effect = ''): void {
    this.#findings.error('dataset', `dataset ${id}`, problem, effect);
  }

  unknownType(id: number, type: number): void {
    this.#error(id, `of type ${type}, which does not exist`, 'what it holds cannot be reached');
  }

  /** Reads the name and the properties of a dataset, and counts the strings. Where they are damaged, others take their place. */
  readTexts(dataset: Dataset): void {
    const { id, nameAddress, propertiesAddress } = dataset;
    dataset.name = this.#name(id, nameAddress);
    if (propertiesAddress === NO_ADDRESS) return;
    const text = this.#read(id, propertiesAddress, 'the properties are damaged');
    if (text === undefined) return;
    try {
      dataset.properties = parseProperties(text, id);
    } catch {
      this.#error(id, 'the properties are not a JSON object', 'the store cannot be mounted');
    }
  }

  #name(id: number, address: Address): string {
    if (id === MAIN_VOLUME) {
      if (address !== NO_ADDRESS) this.#error(id, `it has a name at ${address}, but is always "${MAIN_NAME}"`);
      return MAIN_NAME;
    }
    const name = this.#read(id, address, 'the name is damaged');
    if (name === undefined) return substituteName(id);
    if (isDatasetName(name)) return name;
    this.#error(id, `"${printable(Buffer.from(name))}" cannot be its name`);
    return substituteName(id);
  }

  /** The string of a dataset at an address. */
  #read(id: number, address: number, what: string): string | undefined {
    const { strings } = this.#store;
    const problem = strings.read(address, VOLUME_OBJECT, KIND_DATASET, id);
    this.#census.addRecord('string', address, problem === undefined ? strings.size : 0);
    if (problem === undefined) return Buffer.from(strings.payload).toString('utf8');
    this.#error(id, `${what}: ${problem}`, 'the store cannot be mounted');
    return undefined;
  }

  /** Judges the datasets among each other. `isComplete`: the catalog could be read as a whole. */
  judge(datasets: readonly Dataset[], isComplete: boolean): void {
    const { nextDataset } = this.#store.superblock;
    const names = new Map<string, number>();
    for (const dataset of datasets) {
      const { id, type, name, volume, view, origin } = dataset;
      const full = type === 'volume' ? name : `${volume}@${name}`;
      const other = names.get(full);
      if (other !== undefined) this.#error(id, `it is named "${name}", as is dataset ${other}`);
      else names.set(full, id);
      if (Math.max(id, view, origin ?? 0) >= nextDataset) {
        this.#error(id, `its numbers (view ${view}) are not below the next one, ${nextDataset}`);
      }
      const isVolumeThere = datasets.some((candidate) => candidate.id === volume && candidate.type === 'volume');
      if (!isVolumeThere && isComplete) this.#error(id, `it is a snapshot of volume ${volume}, which does not exist`);
    }
    const main = datasets.find(({ id }) => id === MAIN_VOLUME);
    if (isComplete && main?.type !== 'volume') {
      this.#error(MAIN_VOLUME, `the volume "${MAIN_NAME}" is missing`, 'the store cannot be mounted');
    }
  }
}
