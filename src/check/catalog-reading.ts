/**
 * The catalog as a check reads it: the volumes and snapshots, and what the store keeps beside them.
 *
 * A store of format 1 has none: its only tree is that of the volume `main`, and what the store keeps is in there too.
 */
import { FORMAT_WITHOUT_CATALOG } from '../store/superblock.js';
import { asDatasetId, type PageNumber } from '../store/units.js';
import { type Dataset, mainVolume, readDataset } from '../volume/dataset.js';
import {
  KIND_DATASET,
  KIND_DEAD_BLOB,
  KIND_DYING,
  KIND_SEGMENT,
  KIND_SHARED_BLOB,
  KIND_SHARED_EXTENT,
  KIND_SHARED_STRING,
  readU64,
} from '../volume/items.js';
import { DatasetRules } from './dataset-rules.js';
import type { Findings } from './findings.js';
import { shapeProblem } from './item-rules.js';
import type { Page } from './page-reader.js';
import type { RecordCensus, RecordKind } from './record-census.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { KeyRange, TreeWalk } from './tree-walk.js';

export class CatalogReading {
  /** By number. Those of an unknown type are left out. */
  readonly datasets: Dataset[] = [];
  /** References to be given up, by page. */
  readonly dying = new Map<PageNumber, number>();
  readonly shared: Readonly<Record<RecordKind, Map<number, number>>> = {
    string: new Map(),
    extent: new Map(),
    blob: new Map(),
  };
  readonly deadBlobs = new Set<number>();
  /** Live bytes of arena segments, by minor key. */
  readonly segments = new Map<number, number>();
  /** Parts of the catalog that could not be read. */
  readonly lost: KeyRange[] = [];
  /** Whether the store has none, being of format 1. */
  readonly isMissing: boolean;

  constructor(isMissing: boolean) {
    this.isMissing = isMissing;
  }

  get volumes(): readonly Dataset[] {
    return this.datasets.filter(({ type }) => type === 'volume');
  }

  get snapshots(): readonly Dataset[] {
    return this.datasets.filter(({ type }) => type === 'snapshot');
  }

  /** `main`, or `main@monday`. */
  nameOf(dataset: Dataset): string {
    if (dataset.type === 'volume') return dataset.name;
    const volume = this.datasets.find(({ id }) => id === dataset.volume);
    return `${volume?.name ?? `dataset ${dataset.volume}`}@${dataset.name}`;
  }

  /** Takes an item whose shape is right. */
  take(page: Page, slot: number, rules: DatasetRules): void {
    const [minor, at] = [page.minor(slot), page.valueWord(slot)];
    const { words } = page;
    switch (page.kind(slot)) {
      case KIND_DATASET: {
        const dataset = readDataset(words, at, asDatasetId(minor));
        if (dataset === undefined) rules.unknownType(minor, words[at + 1]);
        else this.datasets.push(dataset);
        break;
      }
      case KIND_DYING:
        this.dying.set(minor as PageNumber, words[at]);
        break;
      case KIND_DEAD_BLOB:
        this.deadBlobs.add(minor);
        break;
      case KIND_SEGMENT:
        this.segments.set(minor, readU64(words, at));
        break;
      case KIND_SHARED_STRING:
        this.shared.string.set(minor, words[at]);
        break;
      case KIND_SHARED_EXTENT:
        this.shared.extent.set(minor, words[at]);
        break;
      case KIND_SHARED_BLOB:
        this.shared.blob.set(minor, words[at]);
        break;
    }
  }
}

/** Reads the catalog. Reports damaged pages and items, and volumes and snapshots that cannot be as they are. */
export function readCatalog(
  store: StoreUnderCheck,
  walk: TreeWalk,
  census: RecordCensus,
  findings: Findings,
): CatalogReading {
  const { root, version, createdMs, inodes, dataBytes } = store.superblock;
  const catalog = new CatalogReading(version === FORMAT_WITHOUT_CATALOG);
  if (catalog.isMissing) {
    catalog.datasets.push(mainVolume(root, createdMs, inodes, dataBytes));
    return catalog;
  }
  const rules = new DatasetRules(store, census, findings);
  for (const page of walk.leaves(root, findings, catalog.lost)) {
    for (let slot = 0; slot < page.count; slot++) {
      const problem = shapeProblem(page, slot, 'catalog');
      if (problem === undefined) catalog.take(page, slot, rules);
      else findings.error('item', `page ${page.number} slot ${slot}`, problem, 'it belongs to the catalog');
    }
  }
  for (const dataset of catalog.datasets) rules.readTexts(dataset);
  rules.judge(catalog.datasets, catalog.lost.length === 0);
  return catalog;
}
