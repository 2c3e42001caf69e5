/**
 * The check of a store: all parts in order. Nothing is written.
 *
 * It relies on the format definitions and on store/ alone, not on the code that serves, so as not to share its mistakes. The
 * caller holds the store's lock.
 */
import { BLOBS_DIRECTORY } from '../blobs/blob-store.js';
import { PACKS_DIRECTORY } from '../blobs/packs.js';
import type { Disk } from '../store/disk.js';
import { chooseSuperblock, readSlots, type Superblock } from '../store/superblock.js';
import type { DatasetId } from '../store/units.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import type { ArenaReader } from './arena-reader.js';
import type { BlobOwners } from './blob-owners.js';
import { BlobCheck } from './blobs.js';
import { type CatalogReading, readCatalog } from './catalog-reading.js';
import { checkDying } from './dying-trees.js';
import { type FindingListener, Findings, type ProgressListener } from './findings.js';
import { checkLog, type LogSummary } from './log.js';
import { RecordCensus } from './record-census.js';
import { checkReferences } from './references.js';
import { StoreUnderCheck } from './store-under-check.js';
import { checkCounters, checkLiveBytes, checkShared, type Totals, totalsOf } from './totals.js';
import { TreeWalk } from './tree-walk.js';
import { type CheckedTree, TreesCheck } from './trees.js';

export interface CheckOptions {
  /** Of this host, 32 hexadecimal digits: tells whether the log outlived the host. */
  readonly bootId: string;
  readonly onFinding: FindingListener;
  readonly onProgress: ProgressListener;
}

export interface CheckResult {
  readonly superblock: Superblock;
  readonly findings: Findings;
  readonly log: LogSummary;
  readonly catalog: CatalogReading;
  readonly trees: ReadonlyMap<DatasetId, CheckedTree>;
  /** Every page that something points to could be read. */
  readonly isWhole: boolean;
  /** How many branches, roots and dying entries point to each page. */
  readonly references: Uint32Array;
  readonly census: RecordCensus;
  readonly blobOwners: BlobOwners;
  readonly totals: Totals;
  /** Ends of strings and packs that are right. */
  readonly stringsEnd: number;
  readonly packsEnd: number;
  /** Reads that the host refused. What it gives to read later must not be given up: such a store is not repaired. */
  readonly readFailures: number;
}

/** Checks a store. Throws StoreError when there is none, or no superblock that can be used. */
export async function checkStore(disk: Disk, options: CheckOptions): Promise<CheckResult> {
  const findings = new Findings(options.onFinding);
  const superblock = chooseSuperblock(disk);
  checkSlots(disk, superblock, findings);
  checkFiles(disk, findings);
  const log = checkLog(disk, superblock, options.bootId, findings);
  const store = new StoreUnderCheck(disk, superblock);
  try {
    for (const { name, problem } of store.pages.fileProblems()) {
      findings.error('file', name, problem, 'the store cannot be mounted');
    }
    return await checkContents(store, log, findings, options.onProgress);
  } finally {
    store.close();
  }
}

async function checkContents(
  store: StoreUnderCheck,
  log: LogSummary,
  findings: Findings,
  progress: ProgressListener,
): Promise<CheckResult> {
  const { superblock } = store;
  const walk = new TreeWalk(store.pages, superblock.epoch);
  const census = new RecordCensus(store);
  const blobs = new BlobCheck(store);
  const catalog = readCatalog(store, walk, census, findings);
  const isNewLeaf = (page: number): boolean => walk.isNew(page);
  const shared = { store, census, blobs, damagedLeaves: new Set<number>(), isNewLeaf };
  const trees = await new TreesCheck(catalog, walk, shared, findings, progress).run();
  await checkDying(store, walk, catalog.dying, census, findings);
  const { isWhole, references } = walk;
  checkReferences(store, references, isWhole, findings);
  if (isWhole) {
    checkLiveBytes(store, catalog, census, findings);
    checkShared(catalog, census, findings);
  }
  await blobs.finish(census, catalog.deadBlobs, isWhole, findings, progress);
  const totals = totalsOf(catalog, trees, blobs.blobMax);
  checkCounters(superblock, catalog, totals, isWhole, findings);
  return {
    superblock,
    findings,
    log,
    catalog,
    trees,
    isWhole,
    references,
    census,
    blobOwners: blobs.owners,
    totals,
    stringsEnd: checkedEnd(store.strings, findings),
    packsEnd: checkedEnd(store.packs, findings),
    readFailures: store.pages.failures + store.strings.failures + store.packs.failures + blobs.failures,
  };
}

/** The end of an arena: that of the superblock if it can be right, otherwise one after all that there is. */
function checkedEnd(arena: ArenaReader, findings: Findings): number {
  const problem = arena.endProblem();
  if (problem === undefined) return arena.end;
  findings.error('counter', `${arena.recordName}s`, problem, 'new ones might be written over others');
  return arena.endAfterAll();
}

/** A crash while a superblock is written leaves a torn slot, which the next mount writes anew. */
function checkSlots(disk: Disk, chosen: Superblock, findings: Findings): void {
  readSlots(disk).forEach((slot, index) => {
    const where = `superblock slot ${index}`;
    if (slot.kind === 'valid') {
      if (slot.superblock.sequence % 2 !== index) findings.error('superblock-slot', where, 'in the wrong place');
      else if (slot.superblock.uuid !== chosen.uuid) findings.error('superblock-slot', where, 'of another store');
      return;
    }
    // A store that was just made has written one slot only.
    if (slot.kind === 'newer' || (chosen.sequence === 1 && index === 0 && isEmptySlot(slot.reason))) return;
    const effect = 'the other slot is used; should that be lost too, so is the store';
    if (chosen.clean) findings.error('superblock-slot', where, slot.reason, effect);
    else findings.note('superblock-slot', where, slot.reason, 'a crash may leave that; the next mount writes it anew');
  });
}

const isEmptySlot = (reason: string): boolean => reason === 'no magic';

function checkFiles(disk: Disk, findings: Findings): void {
  for (const name of [BLOBS_DIRECTORY, PACKS_DIRECTORY, LOG_DIRECTORY]) {
    if (!disk.exists(name)) findings.error('file', name, 'the directory is missing', 'the store cannot be used');
  }
}
