/**
 * How many items of a tree belong to a subtree of its directories.
 */
import { asIno, type Ino } from '../store/units.js';
import { InodeSet } from './inode-set.js';
import { KIND_DIRENT, readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** Items of all inodes that can be reached from one. */
export function itemsBelow({ tree }: VolumeState, root: Ino): number {
  const seen = new InodeSet();
  const waiting = [root];
  let items = 0;
  let isAtItem = false;
  for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
    if (seen.has(ino)) continue;
    seen.add(ino);
    const children: Ino[] = [];
    // What was made one after the other lies so: the position is often where the next one begins.
    if (!isAtItem || tree.object !== ino) isAtItem = tree.seek(ino, 0, 0);
    for (; isAtItem && tree.object === ino; isAtItem = tree.next()) {
      items++;
      if (tree.kind === KIND_DIRENT) children.push(asIno(readU64(tree.words, tree.valueWord)));
    }
    children.sort((a, b) => b - a);
    for (const child of children) waiting.push(child);
  }
  return items;
}
