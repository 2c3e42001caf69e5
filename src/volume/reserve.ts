/**
 * What an operation may need of the disk, set aside before it is logged: whatever is in the log can then be applied.
 */
import type { DatasetId, Ino } from '../store/units.js';
import { chunksTo, FileParts } from './file-parts.js';
import { Inode, STORAGE_PACK } from './inode.js';
import type { Operation } from './operation.js';
import { encodedBytesMax } from './operation-codec.js';
import { orphanChangesMax } from './orphans.js';
import { pagesTouched } from './pages-touched.js';
import { quotaOn } from './quota-groups.js';
import { pagesForTransplants } from './reserve-transplants.js';
import type { StoreState, VolumeState } from './state.js';

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
      return pagesTouched(store, operation.inodes, store.volume(dataset));
    case 'removeQuota': {
      const volume = store.volume(dataset);
      return pagesTouched(store, inodesUnder(volume, operation.directory), volume);
    }
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

/** Inodes that count for the quota that is on a directory. */
function inodesUnder({ tree }: VolumeState, directory: Ino): number {
  return resized.load(tree, directory) ? (quotaOn(tree, resized)?.inodesUsed ?? 0) : 0;
}

/** Orphans of a dataset that may be a snapshot, which has its own in its tree already. */
function orphanChangesOf(store: StoreState, id: DatasetId): number {
  const dataset = store.catalog.get(id);
  return dataset?.type === 'volume' ? orphanChangesMax(store.volume(id)) : 0;
}
