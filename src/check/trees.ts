/**
 * The check of the trees of all volumes and snapshots, volumes first: what is damaged in both is reported of the volume.
 *
 * Pages, and what leaves point to, are checked once however many trees have them. The inodes of a tree are judged by a pass over all
 * its leaves, so that each snapshot takes the time of reading these, unless it has the root of another tree.
 */
import { type DatasetId, MAIN_VOLUME, ROOT_INO } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import type { CatalogReading } from './catalog-reading.js';
import { type FindingCode, type Findings, type ProgressListener, TreeFindings } from './findings.js';
import { InodePass, type SharedByPasses } from './inode-pass.js';
import { Page } from './page-reader.js';
import { pause } from './pause.js';
import { type Survey, surveyTree } from './survey.js';
import type { TreeWalk } from './tree-walk.js';

/** What was found out about the tree of a volume or snapshot. */
export interface CheckedTree {
  /** What is wrong with it. */
  readonly codes: ReadonlySet<FindingCode>;
  /** How many findings that are. */
  readonly errors: number;
  readonly inodes: number;
  /** Sizes of its regular files, bytes. */
  readonly dataBytes: number;
  /** The highest inode number. */
  readonly inoMax: number;
}

export class TreesCheck {
  readonly #catalog: CatalogReading;
  readonly #walk: TreeWalk;
  readonly #shared: SharedByPasses;
  readonly #findings: Findings;
  readonly #progress: ProgressListener;
  readonly #reported = new Set<string>();
  readonly #byRoot = new Map<number, CheckedTree>();

  constructor(
    catalog: CatalogReading,
    walk: TreeWalk,
    shared: SharedByPasses,
    findings: Findings,
    progress: ProgressListener,
  ) {
    this.#catalog = catalog;
    this.#walk = walk;
    this.#shared = shared;
    this.#findings = findings;
    this.#progress = progress;
  }

  /** Checks all trees. Returns what was found out, by dataset. */
  async run(): Promise<ReadonlyMap<DatasetId, CheckedTree>> {
    const trees = new Map<DatasetId, CheckedTree>();
    const { volumes, snapshots } = this.#catalog;
    // The newest snapshots have the most in common with their volumes.
    for (const dataset of [...volumes, ...[...snapshots].reverse()]) {
      const tree = await this.#check(dataset);
      trees.set(dataset.id, tree);
      this.#checkCounters(dataset, tree);
      if (dataset.type === 'snapshot' && tree.errors > 0) this.#reportSnapshot(dataset, tree);
    }
    return trees;
  }

  /** A snapshot of what has not changed since has the root of another tree. */
  async #check(dataset: Dataset): Promise<CheckedTree> {
    const known = this.#byRoot.get(dataset.root);
    if (known !== undefined) {
      this.#walk.addRoot(dataset.root);
      return known;
    }
    const tree = await this.#checkNew(dataset);
    this.#byRoot.set(dataset.root, tree);
    return tree;
  }

  async #checkNew(dataset: Dataset): Promise<CheckedTree> {
    const prefix = dataset.id === MAIN_VOLUME ? '' : `${this.#catalog.nameOf(dataset)}: `;
    const findings = new TreeFindings(this.#findings, prefix, this.#reported);
    const role = this.#catalog.isMissing ? 'both' : 'files';
    const { store } = this.#shared;
    const survey = await surveyTree(store, this.#walk, dataset.root, role, findings, this.#progress);
    if (this.#catalog.isMissing) this.#takeStoreItems(survey);
    const pass = new InodePass(this.#shared, survey, findings);
    await this.#passOver(survey, pass);
    if (survey.lost.length === 0) checkWhole(survey, pass, findings);
    const { codes, errors } = findings;
    return { codes, errors, inodes: survey.table.length, dataBytes: pass.dataBytes, inoMax: pass.inoMax };
  }

  #takeStoreItems({ deadBlobs, segments }: Survey): void {
    for (const blob of deadBlobs) this.#catalog.deadBlobs.add(blob);
    for (const [minor, bytes] of segments) this.#catalog.segments.set(minor, bytes);
  }

  async #passOver(survey: Survey, pass: InodePass): Promise<void> {
    const page = new Page();
    for (let index = 0; index < survey.leaves.length; index++) {
      if (survey.leaves.read(index, page)) pass.leaf(page);
      if (index % 16 === 0) {
        this.#progress('files', index, survey.leaves.length);
        await pause();
      }
    }
    pass.finish();
  }

  #checkCounters(dataset: Dataset, tree: CheckedTree): void {
    if (tree.codes.has('page') || this.#catalog.isMissing) return;
    const where = `${dataset.type} ${this.#catalog.nameOf(dataset)}`;
    if (dataset.inodes !== tree.inodes) {
      this.#findings.error('counter', where, `counts ${dataset.inodes} inodes, there are ${tree.inodes}`);
    }
    // Sums beyond 2^53 are not exact, whoever counts.
    if (dataset.dataBytes !== tree.dataBytes && tree.dataBytes <= Number.MAX_SAFE_INTEGER) {
      const problem = `counts ${dataset.dataBytes} bytes of data, files have ${tree.dataBytes}`;
      this.#findings.error('counter', where, problem);
    }
  }

  #reportSnapshot(dataset: Dataset, tree: CheckedTree): void {
    const problem = `damaged: it has ${tree.errors} of the errors above`;
    const effect = 'a repair drops it; volumes are mended';
    this.#findings.error('snapshot', `snapshot ${this.#catalog.nameOf(dataset)}`, problem, effect);
  }
}

/** The rules for a tree as a whole. */
function checkWhole({ table, orphans, quotas }: Survey, pass: InodePass, findings: TreeFindings): void {
  pass.quotas.judge(quotas, findings);
  if (table.find(ROOT_INO) < 0) {
    findings.error('root', `inode ${ROOT_INO}`, 'the root directory is missing', 'the volume cannot be used');
  }
  for (const ino of orphans) {
    if (table.find(ino) >= 0) continue;
    findings.error('orphan', `inode ${ino}`, 'listed as a file without a name, but it does not exist');
  }
}
