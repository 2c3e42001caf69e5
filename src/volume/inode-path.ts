/**
 * The path of an inode, from the names that lead to it.
 */
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { Inode } from './inode.js';
import { KIND_DIRENT, readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** Directories are not deeper than this: more is a circle. */
export const DEPTH_MAX = 1 << 20;

/**
 * The path within its volume of an inode that has a name, by one of its names, without a slash before it: empty for the root directory.
 * Undefined for an inode without a name, or in a directory without one.
 */
export function pathOf(state: VolumeState, ino: Ino): string | undefined {
  const names: string[] = [];
  const inode = new Inode();
  for (let at = ino; at !== ROOT_INO; at = inode.parent) {
    if (!inode.load(state.tree, at) || inode.nlink === 0 || inode.parent === 0 || names.length > DEPTH_MAX) {
      return undefined;
    }
    const name = nameIn(state, inode.parent, at, inode.nameMinor);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names.reverse().join('/');
}

/** The name of an inode in a directory. Inodes from stores of format 1 do not know which entry is theirs. */
function nameIn({ tree, entries, strings }: VolumeState, parent: Ino, ino: Ino, minor: number): string | undefined {
  const first = minor === 0 ? tree.seek(parent, KIND_DIRENT, 0) : tree.find(parent, KIND_DIRENT, minor);
  for (let more = first; more && tree.isAt(parent, KIND_DIRENT); more = tree.next()) {
    if (asIno(readU64(tree.words, tree.valueWord)) !== ino) continue;
    return Buffer.from(strings.get(entries.nameAddress())).toString('utf8');
  }
  return undefined;
}
