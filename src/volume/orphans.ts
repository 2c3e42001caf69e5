/**
 * Orphans, inodes without a name whose last user may still be there, in the tree of their volume.
 */
import { asIno, type Ino } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { Inode } from './inode.js';
import { KIND_ORPHAN, VOLUME_OBJECT } from './items.js';
import type { VolumeState } from './state.js';

/** The orphans that a tree has items for. */
export function orphansIn(tree: Tree): Ino[] {
  const orphans: Ino[] = [];
  for (let more = tree.seek(VOLUME_OBJECT, KIND_ORPHAN, 0); more; more = tree.next()) {
    if (!tree.isAt(VOLUME_OBJECT, KIND_ORPHAN)) break;
    orphans.push(asIno(tree.minor));
  }
  return orphans;
}

/** Whether a volume has removed trees. In a store that is read-only nobody has noted them: all that there are have items. */
export function hasRemovedTrees({ removed, tree }: VolumeState): boolean {
  if (removed.length > 0) return true;
  const inode = new Inode();
  return orphansIn(tree).some((ino) => inode.load(tree, ino) && inode.entries > 0);
}

/** Reads the items of a tree that was opened, or that has taken the place of another. Directories with entries are to be swept. */
export function loadOrphans(state: VolumeState): void {
  const { tree, orphans, savedOrphans, removed } = state;
  orphans.clear();
  savedOrphans.clear();
  removed.length = 0;
  const inode = new Inode();
  for (const ino of orphansIn(tree)) {
    orphans.add(ino);
    savedOrphans.add(ino);
    if (inode.load(tree, ino) && inode.entries > 0) removed.push(ino);
  }
}

/** Brings the items up to date; pages must be reserved. */
export function saveOrphans(state: VolumeState): void {
  const { tree, orphans, savedOrphans } = state;
  for (const ino of savedOrphans) {
    if (orphans.has(ino)) continue;
    tree.remove(VOLUME_OBJECT, KIND_ORPHAN, ino);
    savedOrphans.delete(ino);
  }
  for (const ino of orphans) {
    if (savedOrphans.has(ino)) continue;
    tree.insert(VOLUME_OBJECT, KIND_ORPHAN, ino, 0);
    savedOrphans.add(ino);
  }
}

/** More items than `saveOrphans` changes. */
export const orphanChangesMax = ({ orphans, savedOrphans }: VolumeState): number => orphans.size + savedOrphans.size;
