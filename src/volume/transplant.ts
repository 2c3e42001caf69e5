/**
 * Copies what is at a path from one tree into another, sharing all names and data: how a reset carries over what persists, and how
 * one subtree is rolled back.
 *
 * An inode keeps its number where the other tree has no such inode, and if that is allowed; otherwise it gets a new one. Names and
 * small files are records that know the inode they were made for (arena.ts): an inode that got a new number is marked as
 * transplanted, and its records then belong to another inode by their own account.
 *
 * What is copied counts for the quota of the directory that it comes to be in. A directory that has a quota itself keeps that, unless
 * it comes to be under another. A file with names under several quotas becomes a file for each.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { Inode, type Timestamp } from './inode.js';
import { DIRENT_BYTES, KIND_DIRENT, KIND_INODE, readU64, writeU64 } from './items.js';
import { visitRecords } from './leaf-records.js';
import { isDirectory } from './mode.js';
import { charge, countedBytes, insertQuota, quotaOn } from './quota-groups.js';
import type { RecordKind } from './record-references.js';
import type { VolumeState } from './state.js';

/** What the names of a tree's path lead to. */
export interface Place {
  readonly ino: Ino;
  readonly minor: number;
  readonly type: number;
}

export const splitPath = (path: string): readonly Uint8Array[] =>
  path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name, 'utf8'));

/** What a name in a directory leads to. */
export function entryOf(state: VolumeState, parent: Ino, name: Uint8Array): Place | undefined {
  const { tree, entries } = state;
  const minor = entries.find(parent, name);
  if (minor < 0) return undefined;
  return { ino: asIno(readU64(tree.words, tree.valueWord)), minor, type: tree.words[tree.valueWord + 4] };
}

/** What a path leads to, not following symlinks; the root for an empty one. */
export function resolvePath(state: VolumeState, path: string): Ino | undefined {
  let ino: Ino = ROOT_INO;
  for (const name of splitPath(path)) {
    const entry = entryOf(state, ino, name);
    if (entry === undefined) return undefined;
    ino = entry.ino;
  }
  return ino;
}

/** The entries of a directory, read before anything changes the tree. */
function entriesOf({ tree }: VolumeState, directory: Ino): Place[] {
  const found: Place[] = [];
  for (let more = tree.seek(directory, KIND_DIRENT, 0); more && tree.isAt(directory, KIND_DIRENT); more = tree.next()) {
    const { words, valueWord, minor } = tree;
    found.push({ ino: asIno(readU64(words, valueWord)), minor, type: words[valueWord + 4] });
  }
  return found;
}

/** What a subtree comes to. */
export interface Extent {
  items: number;
  bytes: number;
  inodes: number;
}

/** Bytes of a leaf slot (page.ts). */
export const SLOT_BYTES = 20;

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
      total.bytes += SLOT_BYTES + Math.ceil(tree.valueLength / 4) * 4;
      if (tree.kind === KIND_DIRENT) children.push(asIno(readU64(tree.words, tree.valueWord)));
    }
    children.sort((a, b) => b - a);
    for (const child of children) waiting.push(child);
  }
  return total;
}

/** An inode to be copied, by one of its names, and what is known of the copy. */
interface Copy {
  readonly source: Ino;
  readonly ino: Ino;
  readonly parent: Ino;
  readonly minor: number;
  readonly isDirectory: boolean;
  /** It had its number before this name was met. */
  readonly isKnown: boolean;
  /** The quota group that it counts for: that of the directory that the name is in, or its own. */
  group: number;
  /** Of a file: names met so far. Of a directory: 2, and one for each directory in it. */
  nlink: number;
  /** Of a directory. */
  entries: number;
}

export class Transplant {
  readonly #from: VolumeState;
  readonly #to: VolumeState;
  readonly #keepsNumbers: boolean;
  /** Removes an inode that has lost its last name. */
  readonly #remove: (ino: Ino) => void;
  /** The numbers of copies, by the quota group of the directory that the copy is in and by the number of what was copied. */
  readonly #numbers = new Map<number, Map<Ino, Ino>>();
  /** What has a copy. */
  readonly #copied = new Set<Ino>();
  #lastGroup = 0;
  readonly #inode = new Inode();
  /** Whether the position in the tree that is copied from is at an item. */
  #isAtItem = false;
  readonly #countRecord = (record: RecordKind, number: number): void => this.#to.store.references.add(record, number);

  constructor(from: VolumeState, to: VolumeState, keepsNumbers: boolean, remove: (ino: Ino) => void) {
    this.#from = from;
    this.#to = to;
    this.#keepsNumbers = keepsNumbers;
    this.#remove = remove;
  }

  /**
   * Puts what is at a path in the one tree at the same path of the other, in the place of what is there. Directories on the way that
   * the other has not are copied without what is in them. Nothing happens when there is nothing at the path.
   */
  carry(path: string, time: Timestamp): void {
    const names = splitPath(path);
    if (resolvePath(this.#from, path) === undefined || names.length === 0) return;
    let [source, target]: [Ino, Ino] = [ROOT_INO, ROOT_INO];
    for (const [index, name] of names.entries()) {
      const isLast = index === names.length - 1;
      const wanted = this.#require(entryOf(this.#from, source, name));
      const there = entryOf(this.#to, target, name);
      source = wanted.ino;
      if (!isLast && there !== undefined && this.#isDirectory(this.#to, there.ino)) {
        target = there.ino;
        continue;
      }
      if (there !== undefined) this.#cutOff(target, there, time);
      target = this.#graft(target, name, wanted, time, isLast);
    }
  }

  #require(place: Place | undefined): Place {
    if (place === undefined) throw new CorruptionError('a path', 'changed while it was followed');
    return place;
  }

  #isDirectory(state: VolumeState, ino: Ino): boolean {
    return this.#load(state, ino).mode !== 0 && isDirectory(this.#inode.mode);
  }

  #load(state: VolumeState, ino: Ino, into = this.#inode): Inode {
    if (!into.load(state.tree, ino)) throw new CorruptionError(`inode ${ino}`, 'missing');
    return into;
  }

  // ── Removing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes an entry away, and all that it alone leads to. */
  #cutOff(parent: Ino, entry: Place, time: Timestamp): void {
    const wasDirectory = this.#isDirectory(this.#to, entry.ino);
    this.#dropEntry(parent, entry.minor);
    this.#adjust(parent, -1, wasDirectory ? -1 : 0, time);
    const waiting = [entry.ino];
    for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
      const inode = this.#load(this.#to, ino);
      inode.nlink = isDirectory(inode.mode) ? 0 : inode.nlink - 1;
      inode.parent = asIno(0);
      inode.nameMinor = 0;
      inode.store(this.#to.tree);
      if (inode.nlink > 0) continue;
      for (const entry of entriesOf(this.#to, ino)) {
        this.#dropEntry(ino, entry.minor);
        waiting.push(entry.ino);
      }
      this.#to.orphans.add(ino);
      this.#remove(ino);
    }
  }

  #dropEntry(parent: Ino, minor: number): void {
    const { tree, strings, entries } = this.#to;
    if (!tree.modify(parent, KIND_DIRENT, minor)) throw new CorruptionError(`inode ${parent}`, 'an entry is missing');
    strings.release(entries.nameAddress());
    tree.remove(parent, KIND_DIRENT, minor);
  }

  #adjust(ino: Ino, entries: number, links: number, time: Timestamp): void {
    const parent = this.#load(this.#to, ino);
    parent.entries += entries;
    parent.nlink += links;
    parent.setChanged(time);
    parent.store(this.#to.tree);
  }

  // ── Copying ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes an entry for a copy of what is at another tree's entry, with or without what is in it. Returns the copy's number. */
  #graft(parent: Ino, name: Uint8Array, wanted: Place, time: Timestamp, isDeep: boolean): Ino {
    const { tree, strings, entries } = this.#to;
    entries.find(parent, name);
    const minor = entries.freeMinor;
    const address = strings.add({ object: parent, kind: KIND_DIRENT, minor }, name);
    const ino = this.#copy(wanted, parent, minor, isDeep);
    tree.insert(parent, KIND_DIRENT, minor, DIRENT_BYTES);
    writeU64(tree.words, tree.valueWord, ino);
    writeU64(tree.words, tree.valueWord + 2, address);
    tree.words[tree.valueWord + 4] = wanted.type;
    this.#adjust(parent, 1, this.#isDirectory(this.#to, ino) ? 1 : 0, time);
    return ino;
  }

  /**
   * Copies an inode, and what is in it. Returns its number in the other tree.
   *
   * First all that is to be copied gets its number, directory by directory in an order that replay finds again. Then the copies are
   * made in the order of their numbers, in which most of what is read lies too: so leaves are filled one after the other.
   */
  #copy({ ino: root, type }: Place, parent: Ino, minor: number, isDeep: boolean): Ino {
    const group = this.#load(this.#to, parent).quotaGroup;
    const first = this.#place(root, parent, minor, group, type === DT_DIR);
    const planned = new Map<Ino, Copy>();
    const waiting = [first];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const known = planned.get(next.ino);
      if (known !== undefined) {
        known.nlink++;
      } else if (next.isKnown && this.#inode.load(this.#to.tree, next.ino)) {
        // Another name of a file that was copied with another path.
        this.#inode.nlink++;
        this.#inode.store(this.#to.tree);
      } else {
        if (next.isDirectory) this.#planDirectory(next, isDeep, waiting);
        else next.nlink = 1;
        planned.set(next.ino, next);
      }
    }
    this.#isAtItem = false;
    for (const copy of [...planned.values()].sort((a, b) => a.ino - b.ino)) this.#insertCopy(copy, isDeep);
    return first.ino;
  }

  #place(source: Ino, parent: Ino, minor: number, group: number, isDirectory: boolean): Copy {
    const isKnown = this.#numbers.get(group)?.has(source) ?? false;
    const ino = this.#number(source, group);
    return { source, ino, parent, minor, isDirectory, isKnown, group, nlink: 0, entries: 0 };
  }

  /** The number that a copied inode has in the other tree, in a directory of `group`. */
  #number(source: Ino, group: number): Ino {
    const numbers = this.#numbers.get(group) ?? new Map<Ino, Ino>();
    this.#numbers.set(group, numbers);
    const known = numbers.get(source);
    if (known !== undefined) return known;
    const { store, tree } = this.#to;
    const isFree = this.#keepsNumbers && !this.#copied.has(source) && !tree.find(source, KIND_INODE, 0);
    const ino = isFree ? source : store.counters.nextIno;
    store.takeIno(ino);
    this.#copied.add(source);
    numbers.set(source, ino);
    return ino;
  }

  /** Puts the quota that is on a directory, if there is one, on its copy. Returns the group, or 0. */
  #copyQuota(source: Inode, ino: Ino): number {
    const quota = quotaOn(this.#from.tree, source);
    if (quota === undefined) return 0;
    const group = insertQuota(this.#to.tree, ino, quota.limits, this.#lastGroup + 1);
    this.#lastGroup = group;
    return group;
  }

  /** Numbers what is in a directory, which then waits. */
  #planDirectory(copy: Copy, isDeep: boolean, waiting: Copy[]): void {
    const { source, ino } = copy;
    if (copy.group === 0) copy.group = this.#copyQuota(this.#load(this.#from, source), ino);
    copy.nlink = 2;
    for (const { ino: child, minor, type } of isDeep ? entriesOf(this.#from, source) : []) {
      const isDirectory = type === DT_DIR;
      copy.entries++;
      if (isDirectory) copy.nlink++;
      waiting.push(this.#place(child, ino, minor, copy.group, isDirectory));
    }
  }

  /** Copies an inode and its items; the entries of a directory lead to the copies of what they led to. */
  #insertCopy(copy: Copy, isDeep: boolean): void {
    const { source, ino, group } = copy;
    const { tree, dataset } = this.#to;
    const from = this.#from.tree;
    const inode = this.#inode;
    // What has neighbouring numbers lies side by side: the position is often there already.
    if (this.#isAtItem && from.isAt(source, KIND_INODE)) inode.read(from, source);
    else this.#load(this.#from, source);
    if (copy.isDirectory) inode.entries = copy.entries;
    inode.ino = ino;
    inode.parent = copy.parent;
    inode.nameMinor = copy.minor;
    inode.isTransplanted ||= ino !== source;
    inode.quotaGroup = group;
    inode.nlink = copy.nlink;
    inode.insert(tree);
    visitRecords(tree.words, KIND_INODE, tree.valueWord, this.#countRecord);
    dataset.inodes++;
    dataset.dataBytes += countedBytes(inode);
    charge(tree, group, countedBytes(inode), 1);
    const numbers = this.#numbers.get(group);
    for (this.#isAtItem = from.next(); this.#isAtItem && from.object === source; this.#isAtItem = from.next()) {
      const { words, valueWord, kind } = from;
      if (kind === KIND_DIRENT && !isDeep) continue;
      const length = Math.ceil(from.valueLength / 4);
      tree.insert(ino, kind, from.minor, length * 4);
      // Most values are shorter than what it takes to make a view of them.
      for (let word = 0; word < length; word++) tree.words[tree.valueWord + word] = words[valueWord + word];
      visitRecords(words, kind, valueWord, this.#countRecord);
      if (kind !== KIND_DIRENT) continue;
      const child = numbers?.get(asIno(readU64(words, valueWord)));
      if (child === undefined) throw new CorruptionError(`inode ${source}`, 'changed while it was copied');
      writeU64(tree.words, tree.valueWord, child);
    }
  }
}

/** DT_DIR (dirent.h). */
const DT_DIR = 4;
