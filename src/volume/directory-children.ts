/**
 * The inodes that the entries of a directory lead to.
 */
import { asIno, type Ino } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { KIND_DIRENT, readU64 } from './items.js';

/** One for each entry, so that the tree can be changed meanwhile. */
export function childrenOf(tree: Tree, directory: Ino): Ino[] {
  const children: Ino[] = [];
  for (let more = tree.seek(directory, KIND_DIRENT, 0); more; more = tree.next()) {
    if (!tree.isAt(directory, KIND_DIRENT)) break;
    children.push(asIno(readU64(tree.words, tree.valueWord)));
  }
  return children;
}
