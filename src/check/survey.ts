/**
 * The first two walks over the tree: what there is, and which names lead where. What they find out is needed to judge single
 * items, which the later passes do.
 */
import { type Ino, type PageNumber, ROOT_INO } from '../store/units.js';
import { KIND_DEAD_BLOB, KIND_DIRENT, KIND_INODE, KIND_ORPHAN, KIND_SEGMENT, readU64 } from '../volume/items.js';
import type { Findings, ProgressListener } from './findings.js';
import { InodeTable } from './inode-table.js';
import { shapeProblem } from './item-rules.js';
import { Leaves } from './leaves.js';
import { Page } from './page-reader.js';
import { pause } from './pause.js';
import type { StoreUnderCheck } from './store-under-check.js';
import { type KeyRange, TreeWalk } from './tree-walk.js';

export interface Survey {
  readonly leaves: Leaves;
  readonly table: InodeTable;
  /** Parts of the tree that could not be read. */
  readonly lost: readonly KeyRange[];
  /** How many branches and roots point to each page. */
  readonly references: Uint32Array;
  readonly orphans: ReadonlySet<number>;
  readonly deadBlobs: ReadonlySet<number>;
  /** Live bytes of arena segments as the tree has them, by minor key. */
  readonly segments: ReadonlyMap<number, number>;
}

interface VolumeItems {
  readonly orphans: Set<number>;
  readonly deadBlobs: Set<number>;
  readonly segments: Map<number, number>;
}

function takeItem(page: Page, slot: number, table: InodeTable, volume: VolumeItems): void {
  const [kind, minor, at] = [page.kind(slot), page.minor(slot), page.valueWord(slot)];
  switch (kind) {
    case KIND_INODE:
      table.add(page.object(slot), page.words[at]);
      // The volume's own items come before all inodes.
      if (volume.orphans.has(page.object(slot))) table.markOrphan(table.length - 1);
      break;
    case KIND_ORPHAN:
      volume.orphans.add(minor);
      break;
    case KIND_DEAD_BLOB:
      volume.deadBlobs.add(minor);
      break;
    case KIND_SEGMENT:
      volume.segments.set(minor, readU64(page.words, at));
      break;
  }
}

/** Walks all pages from the root and collects the inodes. Reports damaged pages and impossible items. */
export async function surveyTree(
  store: StoreUnderCheck,
  findings: Findings,
  progress: ProgressListener,
): Promise<Survey> {
  const { superblock, pages } = store;
  const walk = new TreeWalk(pages, superblock.epoch, findings);
  const leaves = new Leaves(pages);
  for (const page of walk.leaves(superblock.root as PageNumber)) {
    leaves.add(page.number);
    if (leaves.length % 256 === 0) {
      progress('pages', walk.pagesRead, 0);
      await pause();
    }
  }
  const { references, lost } = walk;
  return { references, lost, ...(await surveyLeaves(leaves, findings, progress)) };
}

/** Collects the inodes in leaves, and the names that lead to them. Reports impossible items. */
export async function surveyLeaves(
  leaves: Leaves,
  findings: Findings,
  progress: ProgressListener,
): Promise<Omit<Survey, 'references' | 'lost'>> {
  const table = new InodeTable();
  const volume: VolumeItems = { orphans: new Set(), deadBlobs: new Set(), segments: new Map() };
  const page = new Page();
  for (let index = 0; index < leaves.length; index++) {
    if (!leaves.read(index, page)) continue;
    for (let slot = 0; slot < page.count; slot++) {
      const problem = shapeProblem(page, slot);
      if (problem === undefined) takeItem(page, slot, table, volume);
      else {
        const where = `page ${page.number} slot ${slot}`;
        findings.error('item', where, problem, `it belongs to inode ${page.object(slot)}`);
      }
    }
    if (index % 256 === 0) {
      progress('inodes', index, leaves.length);
      await pause();
    }
  }
  await surveyNames(leaves, table, progress);
  return { leaves, table, ...volume };
}

/** Counts names by what they lead to, and finds directories that contain themselves. */
async function surveyNames(leaves: Leaves, table: InodeTable, progress: ProgressListener): Promise<void> {
  const page = new Page();
  let directory = -1;
  let directoryIndex = -1;
  for (let index = 0; index < leaves.length; index++) {
    if (index % 256 === 0) {
      progress('names', index, leaves.length);
      await pause();
    }
    if (!leaves.read(index, page)) continue;
    for (let slot = 0; slot < page.count; slot++) {
      if (page.kind(slot) !== KIND_DIRENT || shapeProblem(page, slot) !== undefined) continue;
      if (page.object(slot) !== directory) {
        directory = page.object(slot);
        directoryIndex = table.find(directory);
      }
      if (directoryIndex < 0 || !table.isDirectory(directoryIndex)) continue;
      const child = readU64(page.words, page.valueWord(slot)) as Ino;
      const childIndex = table.find(child);
      if (childIndex >= 0 && child !== ROOT_INO) table.addName(childIndex, directoryIndex);
    }
  }
  table.findCycles(table.find(ROOT_INO));
}
