/**
 * What a check must remember of every inode of a tree at once: 22 bytes each, in arrays sorted by inode number.
 *
 * The tree is walked in key order, so inodes arrive sorted and are found again by binary search.
 */
import { isDirectory } from '../volume/mode.js';

/** In `parents`: no name leads to the inode. */
export const NO_PARENT = 0xffff_ffff;

const WORD = 0x1_0000_0000;
const TYPE_BITS = 0x0f;
const ORPHAN = 0x10;
const SETTLED = 0x20;
const CYCLE_HEAD = 0x40;
const ON_PATH = 0x80;

/** A hash of an entry's key, never 0: a wrong key is taken for the right one once in four billion times. */
export function entryHash(directory: number, minor: number): number {
  let hash = 0x9e37_79b9;
  for (const word of [directory, directory / WORD, minor, minor / WORD]) {
    hash = Math.imul(hash ^ (word >>> 0), 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  return hash >>> 0 || 1;
}

export class InodeTable {
  #inos = new Float64Array(1024);
  /** Of a directory: the directories in it. Of anything else: its names. */
  #links = new Uint32Array(1024);
  /** The index of the directory in which the (first) name is. */
  #parents = new Uint32Array(1024);
  #flags = new Uint8Array(1024);
  /** Names of a directory, up to 255. */
  #names = new Uint8Array(1024);
  /** Of an inode that says which entry is its name: a hash of that entry's key, until the entry is met; otherwise 0. */
  #hints = new Uint32Array(1024);
  /** Quota groups by index; none where no inode has one. */
  readonly #groups = new Map<number, number>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds an inode with a higher number than all before it. `hint` is the `entryHash` of what it says is its name, or 0. */
  add(ino: number, mode: number, hint = 0): void {
    if (this.#length === this.#inos.length) this.#grow();
    const index = this.#length++;
    this.#inos[index] = ino;
    this.#parents[index] = NO_PARENT;
    this.#flags[index] = (mode >>> 12) & TYPE_BITS;
    this.#hints[index] = hint;
  }

  #grow(): void {
    const length = this.#length * 2;
    const grown = <Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers => {
      to.set(from);
      return to;
    };
    this.#inos = grown(this.#inos, new Float64Array(length));
    this.#links = grown(this.#links, new Uint32Array(length));
    this.#parents = grown(this.#parents, new Uint32Array(length));
    this.#flags = grown(this.#flags, new Uint8Array(length));
    this.#names = grown(this.#names, new Uint8Array(length));
    this.#hints = grown(this.#hints, new Uint32Array(length));
  }

  /** The index of an inode, or -1. */
  find(ino: number): number {
    // Where no inode below was ever deleted, numbers from 1 on are one more than their index.
    if (ino <= this.#length && this.#inos[ino - 1] === ino) return ino - 1;
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#inos[middle] < ino) low = middle + 1;
      else high = middle;
    }
    return low < this.#length && this.#inos[low] === ino ? low : -1;
  }

  ino(index: number): number {
    return this.#inos[index];
  }
  links(index: number): number {
    return this.#links[index];
  }
  /** The quota that the inode counts for; 0 for none. */
  group(index: number): number {
    return this.#groups.get(index) ?? 0;
  }
  setGroup(index: number, group: number): void {
    if (group !== 0) this.#groups.set(index, group);
  }
  /** The hash of what the inode says is its name, until that is met. */
  hint(index: number): number {
    return this.#hints[index];
  }
  parent(index: number): number {
    return this.#parents[index];
  }
  names(index: number): number {
    return this.isDirectory(index) ? this.#names[index] : this.#links[index];
  }
  /** The type bits of the mode, as DT_* (readdir(3)). */
  type(index: number): number {
    return this.#flags[index] & TYPE_BITS;
  }
  isDirectory(index: number): boolean {
    return isDirectory(this.type(index) << 12);
  }
  isOrphan(index: number): boolean {
    return (this.#flags[index] & ORPHAN) !== 0;
  }
  markOrphan(index: number): void {
    this.#flags[index] |= ORPHAN;
  }
  /** The one directory of a loop at which the loop is reported and cut. */
  isCycleHead(index: number): boolean {
    return (this.#flags[index] & CYCLE_HEAD) !== 0;
  }

  /** The inode says which entry is its name, but none of those that lead to it is that one. */
  hasWrongHint(index: number): boolean {
    return this.#hints[index] !== 0;
  }

  /** An entry of directory `parent` names the inode at `index`; `hash` is the entry's `entryHash`. */
  addName(index: number, parent: number, hash = 0): void {
    if (hash === this.#hints[index]) this.#hints[index] = 0;
    if (this.isDirectory(index)) {
      if (this.#names[index] < 255) this.#names[index]++;
      // A second name of a directory does not count: it is a finding of its own.
      if (this.#names[index] > 1) return;
      this.#links[parent]++;
    } else {
      this.#links[index]++;
    }
    if (this.#parents[index] === NO_PARENT) this.#parents[index] = parent;
  }

  /** Follows the directories' parents, and marks one of each loop. `root` is an index. */
  findCycles(root: number): void {
    for (let start = 0; start < this.#length; start++) {
      if (!this.isDirectory(start)) continue;
      let index = start;
      while (this.#isUnsettled(index, root)) {
        this.#flags[index] |= ON_PATH;
        index = this.#parents[index];
      }
      if (index !== NO_PARENT && index !== root && (this.#flags[index] & ON_PATH) !== 0) {
        this.#flags[index] |= CYCLE_HEAD;
      }
      this.#settle(start);
    }
  }

  #isUnsettled(index: number, root: number): boolean {
    return index !== NO_PARENT && index !== root && (this.#flags[index] & (ON_PATH | SETTLED)) === 0;
  }

  /** The path from `start` has been looked at: its marks become "settled" (the loop search need not look again). */
  #settle(start: number): void {
    for (let index = start; index !== NO_PARENT && (this.#flags[index] & ON_PATH) !== 0; index = this.#parents[index]) {
      this.#flags[index] = (this.#flags[index] & ~ON_PATH) | SETTLED;
    }
  }
}
