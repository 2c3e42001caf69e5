/**
 * The repair of trees: which volumes stay as they are, which are built anew from what can be read, which snapshots are dropped; and
 * the catalog for what is there then.
 *
 *   found                                  becomes
 *   a volume or snapshot in order          the same tree
 *   a damaged volume                       a new tree (inode-fates.ts), with what has lost its place in its /lost+found
 *   a damaged snapshot                     nothing
 *   a tree that the catalog does not name  a volume `recovered-N`; `main`, if that is missing, the one that was changed last
 *   a snapshot of no volume                a volume `dataset-N`
 *   what was being destroyed               nothing: its space is free
 *
 * Counts are not mended but taken anew, from all that stays.
 */
import type { Disk } from '../store/disk.js';
import { FORMAT_VERSION, type Superblock } from '../store/superblock.js';
import { asBlobId, asDatasetId, asIno, type DatasetId, type Epoch, MAIN_VOLUME, NO_PAGE } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import { BlobLedger, type BlobOwners } from './blob-owners.js';
import { BlobCheck, blobSize, listBlobs } from './blobs.js';
import { type CatalogReading, readCatalog } from './catalog-reading.js';
import type { CheckResult } from './check.js';
import { checkDying, countLeaf } from './dying-trees.js';
import { NO_FINDINGS } from './findings.js';
import { InodeFates } from './inode-fates.js';
import { KeptNames } from './kept-names.js';
import { KeptQuotas } from './kept-quotas.js';
import { type InoCounter, LostAndFound } from './lost-and-found.js';
import { LostPages } from './lost-pages.js';
import { asVolume, nextNumber, recoveredVolume, settleDatasets, writeCatalog } from './new-catalog.js';
import { NewItems } from './new-items.js';
import { pause } from './pause.js';
import { Rebuild } from './rebuilt-tree.js';
import { RECORD_KINDS, RecordCensus } from './record-census.js';
import { StoreUnderCheck } from './store-under-check.js';
import { surveyTree } from './survey.js';
import { SurvivingTree } from './surviving-items.js';
import { totalsOf } from './totals.js';
import { TreeWalk } from './tree-walk.js';
import { PageAppender, TreeWriter } from './tree-writer.js';
import { type CheckedTree, TreesCheck } from './trees.js';

const noProgress = (): void => undefined;

export interface RebuiltStore {
  /** What the new superblock says. */
  readonly changes: Partial<Superblock>;
  /** By page, up to the new capacity. */
  readonly references: Uint32Array;
}

/** What there is to build on. */
interface Foundation {
  readonly catalog: CatalogReading;
  readonly trees: ReadonlyMap<DatasetId, CheckedTree>;
  readonly references: Uint32Array;
  readonly census: RecordCensus;
  readonly blobOwners: BlobOwners;
  readonly inoMax: number;
  readonly blobMax: number;
}

export class StoreRebuild {
  readonly #disk: Disk;
  readonly #result: CheckResult;
  readonly #epoch: Epoch;
  readonly #now: number;
  readonly #store: StoreUnderCheck;
  readonly #items: NewItems;
  readonly #pages: PageAppender;

  /** `first`: the first page that may be written. */
  constructor(disk: Disk, result: CheckResult, first: number, epoch: Epoch, now: number) {
    const { superblock } = result;
    this.#disk = disk;
    this.#result = result;
    this.#epoch = epoch;
    this.#now = now;
    this.#store = new StoreUnderCheck(disk, superblock);
    this.#items = new NewItems(disk, result);
    this.#pages = new PageAppender(disk, superblock.geometry.nodesSegmentBytes, first);
  }

  close(): void {
    this.#pages.close();
    this.#items.close();
    this.#store.close();
  }

  /** Writes all that is new, and makes it durable. */
  async run(): Promise<RebuiltStore> {
    const { superblock } = this.#result;
    const foundation = await this.#foundation();
    const numbers: InoCounter = { next: Math.max(superblock.nextIno, foundation.inoMax + 1) };
    const datasets = await this.#settleTrees(foundation, numbers);
    const strings = settleDatasets(datasets, superblock.nextDataset, this.#items);
    await this.#items.sync();
    const nextBlob = Math.max(superblock.nextBlob, foundation.blobMax + 1);
    const made = await this.#writeCatalog(datasets, strings, nextBlob);
    const volumes = datasets.filter(({ type }) => type === 'volume');
    return {
      references: made.references,
      changes: {
        ...made.changes,
        version: FORMAT_VERSION,
        nodesCapacity: this.#pages.next,
        stringsEnd: this.#items.strings.end,
        packsEnd: this.#items.packs.end,
        inodes: volumes.reduce((sum, { inodes }) => sum + inodes, 0),
        dataBytes: volumes.reduce((sum, { dataBytes }) => sum + dataBytes, 0),
        nextIno: asIno(numbers.next),
        nextBlob: asBlobId(nextBlob),
        nextDataset: asDatasetId(nextNumber(datasets, superblock.nextDataset)),
      },
    };
  }

  // ── What there is ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The result of the check; where trees have lost their place in the catalog, that of a check which knows of them. */
  async #foundation(): Promise<Foundation> {
    const { catalog, trees, references, census, blobOwners, totals, findings } = this.#result;
    const isCatalogDamaged = catalog.lost.length > 0 || findings.has('dataset') || findings.has('item');
    const isMainThere = catalog.datasets.some(({ id, type }) => id === MAIN_VOLUME && type === 'volume');
    const lostRoots = isCatalogDamaged && !catalog.isMissing ? new LostPages(this.#store, references).roots() : [];
    if (lostRoots.length === 0 && isMainThere) {
      return { catalog, trees, references, census, blobOwners, inoMax: totals.inoMax, blobMax: totals.blobMax };
    }
    const walk = new TreeWalk(this.#store.pages, this.#store.superblock.epoch);
    const shared = {
      store: this.#store,
      census: new RecordCensus(this.#store),
      blobs: new BlobCheck(this.#store),
      damagedLeaves: new Set<number>(),
      isNewLeaf: (page: number): boolean => walk.isNew(page),
    };
    const found = readCatalog(this.#store, walk, shared.census, NO_FINDINGS);
    this.#addLost(found, lostRoots, isMainThere);
    const foundTrees = await new TreesCheck(found, walk, shared, NO_FINDINGS, noProgress).run();
    await checkDying(this.#store, walk, found.dying, shared.census, NO_FINDINGS);
    const { inoMax, blobMax } = totalsOf(found, foundTrees, shared.blobs.blobMax);
    return {
      catalog: found,
      trees: foundTrees,
      references: walk.references,
      census: shared.census,
      blobOwners: shared.blobs.owners,
      inoMax,
      blobMax,
    };
  }

  #addLost(catalog: CatalogReading, roots: readonly Dataset['root'][], isMainThere: boolean): void {
    const { nextDataset } = this.#store.superblock;
    // What is there under the number of the volume `main`, but is none.
    const others = catalog.datasets.filter(({ id }) => isMainThere || id !== MAIN_VOLUME);
    catalog.datasets.splice(0, catalog.datasets.length, ...others);
    const waiting = [...roots];
    if (!isMainThere) catalog.datasets.unshift(recoveredVolume(MAIN_VOLUME, waiting.shift() ?? NO_PAGE, this.#now));
    for (const root of waiting) {
      catalog.datasets.push(recoveredVolume(nextNumber(catalog.datasets, nextDataset), root, this.#now));
    }
  }

  // ── Trees ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Builds the trees of damaged volumes anew. Returns the volumes and snapshots that stay. */
  async #settleTrees(foundation: Foundation, numbers: InoCounter): Promise<Dataset[]> {
    const { catalog, trees } = foundation;
    const kept: Dataset[] = [];
    const damaged: Dataset[] = [];
    for (const dataset of catalog.datasets) {
      const { errors, inodes, dataBytes } = trees.get(dataset.id)!;
      const isOfVolume = catalog.volumes.some(({ id }) => id === dataset.volume);
      const counted = { ...(isOfVolume ? dataset : asVolume(dataset)), inodes, dataBytes };
      if (errors === 0 && !this.#mustRebuild(counted, catalog)) kept.push(counted);
      else if (counted.type === 'volume') damaged.push(counted);
    }
    // The volume `main` comes last: it takes what no volume has.
    damaged.sort((a, b) => b.id - a.id);
    const ledger = new BlobLedger(foundation.blobOwners);
    const lostPages = new LostPages(this.#store, foundation.references);
    for (const [index, dataset] of damaged.entries()) {
      const isLast = index === damaged.length - 1;
      const unowned = (): readonly number[] => (isLast ? this.#unownedBlobs(foundation, kept, ledger) : []);
      await this.#rebuild(dataset, catalog, ledger, lostPages, numbers, unowned);
    }
    return [...kept, ...damaged].sort((a, b) => a.id - b.id);
  }

  /** The volume `main` gets data that no file owns, and what a store of format 1 has in the tree goes to the catalog. */
  #mustRebuild({ id }: Dataset, catalog: CatalogReading): boolean {
    return id === MAIN_VOLUME && (catalog.isMissing || this.#result.findings.has('blob-unowned'));
  }

  async #rebuild(
    dataset: Dataset,
    catalog: CatalogReading,
    ledger: BlobLedger,
    lostPages: LostPages,
    numbers: InoCounter,
    unowned: () => readonly number[],
  ): Promise<void> {
    const store = this.#store;
    const items = this.#items;
    const role = catalog.isMissing ? 'both' : 'files';
    const walk = new TreeWalk(store.pages, store.superblock.epoch);
    const survey = await surveyTree(store, walk, dataset.root, role, NO_FINDINGS, noProgress);
    const tree = new SurvivingTree(store, survey, lostPages);
    const fates = new InodeFates(store, ledger);
    fates.decide(tree.items());
    const names = new KeptNames(store, tree, fates);
    names.decide();
    const lostAndFound = new LostAndFound(store, fates, names, items, numbers);
    lostAndFound.fill(survey, unowned());
    const quotas = new KeptQuotas(tree, fates, names, lostAndFound.orphans);
    const rebuild = new Rebuild({ tree, fates, names, quotas, lostAndFound, items, now: this.#now });
    const writer = new TreeWriter(this.#pages, this.#epoch);
    await rebuild.write(writer);
    dataset.root = writer.finish();
    dataset.inodes = rebuild.inodes;
    dataset.dataBytes = rebuild.dataBytes;
  }

  /**
   * Blobs that no file has in any tree that stays, and that no tree that is given up, or was being destroyed, is known to have had:
   * their files may have been in what cannot be read.
   */
  #unownedBlobs({ catalog, census }: Foundation, kept: readonly Dataset[], ledger: BlobLedger): readonly number[] {
    const unowned: number[] = [];
    for (const { blob } of listBlobs(this.#store)) {
      if (blob === undefined || blob >= this.#store.superblock.nextBlob) continue;
      if (ledger.used.has(blob) || catalog.deadBlobs.has(blob)) continue;
      if (ledger.named.has(blob) || !census.hasBlob(blob)) unowned.push(blob);
    }
    if (unowned.length === 0) return [];
    const keptCensus = new RecordCensus(this.#store);
    const walk = new TreeWalk(this.#store.pages, this.#store.superblock.epoch);
    for (const { root } of kept) {
      for (const leaf of walk.leaves(root, NO_FINDINGS)) {
        if (walk.isNew(leaf.number)) countLeaf(this.#store, keptCensus, leaf, 'files');
      }
    }
    return unowned.filter((blob) => !keptCensus.hasBlob(blob));
  }

  // ── The catalog ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Counts what all trees reach, and writes the catalog, as the last of the new pages. */
  async #writeCatalog(
    datasets: readonly Dataset[],
    strings: readonly { readonly address: number; readonly bytes: number }[],
    nextBlob: number,
  ): Promise<RebuiltStore> {
    const { strings: stringArena, packs } = this.#items;
    const store = new StoreUnderCheck(this.#disk, {
      ...this.#store.superblock,
      nodesCapacity: this.#pages.next,
      stringsEnd: stringArena.end,
      packsEnd: packs.end,
    });
    try {
      const walk = new TreeWalk(store.pages, this.#epoch);
      const census = new RecordCensus(store);
      for (const { root } of datasets) {
        for (const leaf of walk.leaves(root, NO_FINDINGS)) {
          if (walk.isNew(leaf.number)) countLeaf(store, census, leaf, 'files');
        }
        await pause();
      }
      for (const { address, bytes } of strings) census.addRecord('string', address, bytes);
      const dead = [...listBlobs(store)].flatMap(({ blob }) => blob ?? []);
      const isUnused = (blob: number): boolean =>
        blob < nextBlob && !census.hasBlob(blob) && typeof blobSize(store, blob) === 'number';
      const unused = dead.filter(isUnused);
      const first = this.#pages.next;
      const writer = new TreeWriter(this.#pages, this.#epoch);
      const root = writeCatalog(writer, datasets, census, store, unused);
      await this.#pages.sync();
      const references = new Uint32Array(this.#pages.next).fill(1, first);
      references.set(walk.references.subarray(0, first));
      const sharedRecords = RECORD_KINDS.reduce((sum, kind) => sum + census.shared[kind].size, 0);
      return { references, changes: { root, sharedRecords } };
    } finally {
      store.close();
    }
  }
}
