/**
 * The entries of a directory.
 */
import { asIno, type Ino } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { KIND_DIRENT, readU64 } from './items.js';
import type { Place } from './paths.js';

/** All entries, read before anything changes the tree. */
export function entriesOf(tree: Tree, directory: Ino): Place[] {
  const found: Place[] = [];
  for (let more = tree.seek(directory, KIND_DIRENT, 0); more && tree.isAt(directory, KIND_DIRENT); more = tree.next()) {
    const { words, valueWord, minor } = tree;
    found.push({ ino: asIno(readU64(words, valueWord)), minor, type: words[valueWord + 4] });
  }
  return found;
}
