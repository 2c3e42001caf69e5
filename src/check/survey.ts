/**
 * The first two looks at a tree's items: what there is, and which names lead where. What they find out is needed to judge single
 * items, which the later passes do.
 */
import { type Ino, type PageNumber, ROOT_INO } from '../store/units.js';
import {
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_QUOTA,
  KIND_SEGMENT,
  readU64,
} from '../volume/items.js';
import { type QuotaRecord, readQuotaRecord } from '../volume/quota-record.js';
import type { ErrorSink, ProgressListener } from './findings.js';
import { hintOf, readRecord } from './inode-record.js';
import { entryHash, InodeTable } from './inode-table.js';
import { shapeProblem, type TreeRole } from './item-rules.js';
import { Leaves } from './leaves.js';
import { Page } from './page-reader.js';
import { pause } from './pause.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { KeyRange, TreeWalk } from './tree-walk.js';

/** What one tree holds. */
export interface Survey {
  readonly role: TreeRole;
  readonly leaves: Leaves;
  readonly table: InodeTable;
  /** Parts of the tree that could not be read. */
  readonly lost: readonly KeyRange[];
  readonly orphans: ReadonlySet<number>;
  /** Quotas on directories, by group. */
  readonly quotas: ReadonlyMap<number, QuotaRecord>;
  /** Of a store of format 1, whose only tree has these. */
  readonly deadBlobs: ReadonlySet<number>;
  /** Live bytes of arena segments as the tree has them, by minor key. */
  readonly segments: ReadonlyMap<number, number>;
}

interface TreeItems {
  readonly orphans: Set<number>;
  readonly quotas: Map<number, QuotaRecord>;
  readonly deadBlobs: Set<number>;
  readonly segments: Map<number, number>;
}

function takeItem(page: Page, slot: number, table: InodeTable, tree: TreeItems): void {
  const [kind, minor, at] = [page.kind(slot), page.minor(slot), page.valueWord(slot)];
  switch (kind) {
    case KIND_INODE:
      table.add(page.object(slot), page.words[at], hintOf(page.words, at));
      table.setGroup(table.length - 1, readRecord(page.words, at).quotaGroup);
      // The tree's own items come before all inodes.
      if (tree.orphans.has(page.object(slot))) table.markOrphan(table.length - 1);
      break;
    case KIND_ORPHAN:
      tree.orphans.add(minor);
      break;
    case KIND_QUOTA:
      tree.quotas.set(minor, readQuotaRecord(page.words, at));
      break;
    case KIND_DEAD_BLOB:
      tree.deadBlobs.add(minor);
      break;
    case KIND_SEGMENT:
      tree.segments.set(minor, readU64(page.words, at));
      break;
  }
}

/** Walks all pages from a root and collects the inodes. Reports damaged pages and impossible items. */
export async function surveyTree(
  store: StoreUnderCheck,
  walk: TreeWalk,
  root: PageNumber,
  role: TreeRole,
  findings: ErrorSink,
  progress: ProgressListener,
): Promise<Survey> {
  const leaves = new Leaves(store.pages);
  const lost: KeyRange[] = [];
  const table = new InodeTable();
  const tree: TreeItems = { orphans: new Set(), quotas: new Map(), deadBlobs: new Set(), segments: new Map() };
  for (const page of walk.leaves(root, findings, lost)) {
    leaves.add(page.number);
    for (let slot = 0; slot < page.count; slot++) {
      const problem = shapeProblem(page, slot, role);
      if (problem === undefined) takeItem(page, slot, table, tree);
      else {
        const where = `page ${page.number} slot ${slot}`;
        findings.error('item', where, problem, `it belongs to inode ${page.object(slot)}`);
      }
    }
    if (leaves.length % 256 === 0) {
      progress('pages', walk.pagesRead, 0);
      await pause();
    }
  }
  await surveyNames(leaves, role, table, progress);
  return { role, lost, leaves, table, ...tree };
}

/** Counts names by what they lead to, and finds directories that contain themselves. */
async function surveyNames(
  leaves: Leaves,
  role: TreeRole,
  table: InodeTable,
  progress: ProgressListener,
): Promise<void> {
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
      if (page.kind(slot) !== KIND_DIRENT || shapeProblem(page, slot, role) !== undefined) continue;
      if (page.object(slot) !== directory) {
        directory = page.object(slot);
        directoryIndex = table.find(directory);
      }
      if (directoryIndex < 0 || !table.isDirectory(directoryIndex)) continue;
      const child = readU64(page.words, page.valueWord(slot)) as Ino;
      const childIndex = table.find(child);
      if (childIndex < 0 || child === ROOT_INO) continue;
      table.addName(childIndex, directoryIndex, entryHash(directory, page.minor(slot)));
    }
  }
  table.findCycles(table.find(ROOT_INO));
}
