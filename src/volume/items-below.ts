/**
 * How much belongs to subtrees of a tree's directories.
 */
import { asIno, type Ino } from '../store/units.js';
import { InodeSet } from './inode-set.js';
import { KIND_DIRENT, readU64 } from './items.js';
import { outermost, placeAt, TYPE_DIRECTORY } from './paths.js';
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

/** Whether more than `max` names are at some paths and below them. */
export function hasMoreBelow(state: VolumeState, paths: readonly string[], max: number): boolean {
  const { tree } = state;
  const waiting: Ino[] = [];
  let names = 0;
  for (const path of outermost(paths)) {
    const place = placeAt(state, path);
    if (place === undefined) continue;
    waiting.push(place.ino);
    names++;
  }
  for (let ino = waiting.pop(); ino !== undefined && names <= max; ino = waiting.pop()) {
    for (let more = tree.seek(ino, KIND_DIRENT, 0); more && tree.isAt(ino, KIND_DIRENT); more = tree.next()) {
      if (++names > max) break;
      const { words, valueWord } = tree;
      if (words[valueWord + 4] === TYPE_DIRECTORY) waiting.push(asIno(readU64(words, valueWord)));
    }
  }
  return names > max;
}
