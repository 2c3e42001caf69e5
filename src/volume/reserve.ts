/**
 * What an operation may need of the disk, set aside before it is logged: whatever is in the log can then be applied.
 */
import { asIno, type DatasetId, type Ino } from '../store/units.js';
import { Graft } from '../tree/graft.js';
import { LEAF_SLOT_BYTES } from '../tree/page.js';
import { type Extent, measure } from './extent.js';
import { chunksTo, FileParts } from './file-parts.js';
import { Inode, STORAGE_PACK } from './inode.js';
import type { Operation, RollbackOperation } from './operation.js';
import { encodedBytesMax } from './operation-codec.js';
import { orphanChangesMax, orphansIn } from './orphans.js';
import { outermost, placeAt, resolvePath } from './paths.js';
import { allQuotas, quotaOn } from './quota-groups.js';
import { QUOTA_BYTES } from './quota-record.js';
import type { StoreState, VolumeState } from './state.js';
import { TransplantPlan } from './transplant-plan.js';

/** Free pages that only operations which free something may use, so that a full store can be emptied. */
const PAGES_KEPT_FOR_FREEING = 256;
const FREEING: ReadonlySet<Operation['type']> = new Set(['unlink', 'removeXattr', 'resize', 'destroy', 'removeQuota']);

/** Free pages that an operation leaves for those that free something. */
export const pagesKept = ({ type }: Operation): number => (FREEING.has(type) ? 0 : PAGES_KEPT_FOR_FREEING);

/** A symlink or a directory that inherits two access control lists: name, target, and two strings for each list. */
const STRINGS_PER_OPERATION = 6;

const resized = new Inode();

/**
 * Makes sure that an operation can be applied whatever it needs, and asks for no more: on a full disk, removing and cutting must
 * work. Throws DiskError (ENOSPC).
 */
export function reserveFor(store: StoreState, dataset: DatasetId, operation: Operation, pages: number): void {
  store.pages.reserve(pages + pagesBeyond(store, dataset, operation));
  switch (operation.type) {
    case 'make':
    case 'link':
    case 'rename':
    case 'setXattr':
      store.strings.reserve(STRINGS_PER_OPERATION, encodedBytesMax(operation));
      return;
    case 'writeSmall':
      store.packs.reserve();
      return;
    case 'resize':
      // A small file that is cut gets a new extent.
      if (operation.size === 0 || !resized.load(store.volume(dataset).tree, operation.ino)) return;
      if (resized.storage === STORAGE_PACK) store.packs.reserve();
      return;
    case 'createVolume':
    case 'createSnapshot':
    case 'renameDataset':
    case 'setProperties':
    case 'adopt':
    case 'rollback':
      store.strings.reserve(STRINGS_PER_OPERATION + rollbackNames(operation), encodedBytesMax(operation));
      return;
    case 'unlink':
    case 'setAttributes':
    case 'writeBlob':
    case 'promote':
    case 'removeXattr':
    case 'branchBlob':
    case 'takeChunks':
    case 'setQuota':
    case 'removeQuota':
    case 'destroy':
    case 'synced':
      return;
  }
}

/** Names on the way to what a rollback carries over. */
const rollbackNames = (operation: Operation): number =>
  operation.type === 'rollback'
    ? [...operation.carried, operation.path].reduce((sum, path) => sum + path.split('/').length, 0)
    : 0;

/** Items of 12 bytes that a leaf has room for when it is a quarter full, the least that it is left with. */
const PARTS_PER_LEAF = 32;

/** Pages that an operation takes beyond those that each may take. */
function pagesBeyond(store: StoreState, dataset: DatasetId, operation: Operation): number {
  switch (operation.type) {
    case 'branchBlob': {
      const volume = store.volume(dataset);
      return Math.ceil(new FileParts(volume).all(operation.ino).length / PARTS_PER_LEAF);
    }
    case 'takeChunks': {
      const parts = new FileParts(store.volume(dataset)).within(operation.ino, operation.first, operation.end);
      return Math.ceil(parts.length / PARTS_PER_LEAF);
    }
    case 'resize': {
      // Parts beyond the new end go: as many as there are, in leaves that may be shared.
      const volume = store.volume(dataset);
      const parts = new FileParts(volume).within(operation.ino, chunksTo(operation.size), Number.POSITIVE_INFINITY);
      return Math.ceil(parts.length / PARTS_PER_LEAF);
    }
    case 'setQuota':
      return pagesForInodes(store, operation.inodes);
    case 'removeQuota':
      return pagesForInodes(store, inodesUnder(store.volume(dataset), operation.directory));
    case 'createVolume':
      return operation.origin === undefined ? 0 : orphanChangesOf(store, operation.origin);
    case 'createSnapshot':
      return orphanChangesMax(store.volume(operation.volume));
    case 'adopt':
      return orphanChangesMax(store.volume(operation.volume)) + orphanChangesMax(store.volume(operation.from));
    case 'rollback':
      return orphanChangesMax(store.volume(operation.volume)) + pagesForTransplants(store, operation);
    default:
      return 0;
  }
}

/** Pages that changing so many inodes takes: the leaves that they are in, and the branches above, which have many children. */
const pagesForInodes = (store: StoreState, inodes: number): number => Math.ceil(leavesTouched(store, inodes) * 1.25);

/** Inodes that count for the quota that is on a directory. */
function inodesUnder({ tree }: VolumeState, directory: Ino): number {
  return resized.load(tree, directory) ? (quotaOn(tree, resized)?.inodesUsed ?? 0) : 0;
}

/** Bytes of a leaf that are used at least when items come in any order. */
const LEAF_BYTES_MIN = 1000;

/** Pages that removing all orphans of a snapshot takes. */
function pagesForOrphans(store: StoreState, snapshot: VolumeState): number {
  const orphans = orphansIn(snapshot.tree);
  const items = orphans.reduce((sum, ino) => sum + measure(snapshot, ino).items, orphans.length);
  return items === 0 ? 0 : leavesTouched(store, items) + 64;
}

/** Pages for what a path takes beside its items: those on the way to them. */
const PAGES_PER_PATH = 64;

function pagesForTransplants(store: StoreState, operation: RollbackOperation): number {
  const volume = store.volume(operation.volume);
  const snapshot = store.volumeOf(store.catalog.require(operation.snapshot));
  if (operation.path !== '') return PAGES_PER_PATH + pagesForCopy(store, snapshot, volume, operation.path);
  const carried = outermost(operation.carried);
  const hasQuotas = [volume, snapshot].some(({ tree }) => allQuotas(tree).length > 0);
  return (
    pagesForOrphans(store, snapshot) +
    carried.length * PAGES_PER_PATH +
    (hasQuotas
      ? carried.reduce((sum, path) => sum + pagesForCopy(store, volume, snapshot, path), 0)
      : pagesForCarrying(store, volume, snapshot, carried))
  );
}

/** Pages that copying all that is at a path takes. */
function pagesForCopy(store: StoreState, from: VolumeState, to: VolumeState, path: string): number {
  const [copied, replaced] = [extentAt(from, path), extentAt(to, path)];
  return Math.ceil(copied.bytes / LEAF_BYTES_MIN) + leavesTouched(store, copied.items + replaced.items);
}

/**
 * Pages that carrying over what is at some paths takes, where there are no quotas: at the least, inodes that are not in `to` keep their
 * numbers, and more of what is in it goes before than can be seen from here.
 */
function pagesForCarrying(store: StoreState, from: VolumeState, to: VolumeState, paths: readonly string[]): number {
  let nextIno = store.counters.nextIno;
  const plan = new TransplantPlan(from, to, true, () => {
    const ino = nextIno;
    nextIno = asIno(ino + 1);
    return ino;
  });
  let replaced = 0;
  for (const path of paths) {
    const place = placeAt(from, path);
    if (place === undefined) continue;
    plan.add(place, { parent: asIno(0), minor: 0, group: 0 });
    replaced += extentAt(to, path).items;
  }
  plan.finish();
  const { ranges, changes, entries, items, bytes } = plan;
  return (
    new Graft(store.pages, to.tree.root, from.tree.root, ranges).pagesTaken +
    Math.ceil(bytes / LEAF_BYTES_MIN) +
    Math.ceil(1.25 * leavesTouched(store, items + replaced + changes.size + entries.length))
  );
}

const NOTHING: Extent = { items: 0, bytes: 0, inodes: 0 };

function extentAt(state: VolumeState, path: string): Extent {
  const ino = resolvePath(state, path);
  if (ino === undefined) return NOTHING;
  const { items, bytes, inodes } = measure(state, ino);
  // Directories may bring their quotas along.
  const quotas = allQuotas(state.tree).length;
  return { items: items + quotas, bytes: bytes + quotas * (LEAF_SLOT_BYTES + QUOTA_BYTES), inodes };
}

/** Leaves that may have to be copied for changes to so many items: no more than there are. */
const leavesTouched = (store: StoreState, items: number): number =>
  Math.min(items, store.pages.file.capacity - store.pages.free);

/** Orphans of a dataset that may be a snapshot, which has its own in its tree already. */
function orphanChangesOf(store: StoreState, id: DatasetId): number {
  const dataset = store.catalog.get(id);
  return dataset?.type === 'volume' ? orphanChangesMax(store.volume(id)) : 0;
}
