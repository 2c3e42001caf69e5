/**
 * How much of a tree a subtree of its directories takes.
 */
import { asIno, type Ino } from '../store/units.js';
import { LEAF_SLOT_BYTES, padded } from '../tree/page.js';
import { KIND_DIRENT, readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** What a subtree comes to. */
export interface Extent {
  items: number;
  bytes: number;
  inodes: number;
}

/** Items, and the bytes that they take in leaves, of all that can be reached from an inode. */
export function measure(state: VolumeState, root: Ino): Extent {
  const { tree } = state;
  const total: Extent = { items: 0, bytes: 0, inodes: 0 };
  const seen = new Set<Ino>();
  const waiting = [root];
  let isAtItem = false;
  for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
    if (seen.has(ino)) continue;
    seen.add(ino);
    total.inodes++;
    const children: Ino[] = [];
    // What was made one after the other lies so: the position is often where the next one begins.
    if (!isAtItem || tree.object !== ino) isAtItem = tree.seek(ino, 0, 0);
    for (; isAtItem && tree.object === ino; isAtItem = tree.next()) {
      total.items++;
      total.bytes += LEAF_SLOT_BYTES + padded(tree.valueLength);
      if (tree.kind === KIND_DIRENT) children.push(asIno(readU64(tree.words, tree.valueWord)));
    }
    children.sort((a, b) => b - a);
    for (const child of children) waiting.push(child);
  }
  return total;
}
