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

/** What a subtree comes to. */
export interface Extent {
  items: number;
  bytes: number;
  inodes: number;
}

/** Bytes of a leaf slot (page.ts). */
export const SLOT_BYTES = 20;

/** The items of an inode, copied out of the tree: nothing that changes the tree disturbs the walk. */
interface CopiedItem {
  readonly kind: number;
  readonly minor: number;
  readonly words: Uint32Array;
}

function itemsOf(state: VolumeState, ino: Ino): CopiedItem[] {
  const { tree } = state;
  const items: CopiedItem[] = [];
  for (let more = tree.seek(ino, 0, 0); more && tree.object === ino; more = tree.next()) {
    const { words, valueWord, valueLength, kind, minor } = tree;
    items.push({ kind, minor, words: words.slice(valueWord, valueWord + Math.ceil(valueLength / 4)) });
  }
  return items;
}

/** Items, and the bytes that they take in leaves, of all that can be reached from an inode. */
export function measure(state: VolumeState, root: Ino): Extent {
  const total: Extent = { items: 0, bytes: 0, inodes: 0 };
  const seen = new Set<Ino>();
  const waiting = [root];
  for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
    if (seen.has(ino)) continue;
    seen.add(ino);
    total.inodes++;
    for (const item of itemsOf(state, ino)) {
      total.items++;
      total.bytes += SLOT_BYTES + item.words.length * 4;
      if (item.kind === KIND_DIRENT) waiting.push(asIno(readU64(item.words, 0)));
    }
  }
  return total;
}

/** An inode to be copied, and its place in the other tree. */
interface Waiting {
  readonly source: Ino;
  readonly ino: Ino;
  readonly parent: Ino;
  readonly minor: number;
  /** The quota group of the directory. */
  readonly group: number;
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
      for (const { kind, minor, words } of itemsOf(this.#to, ino)) {
        if (kind !== KIND_DIRENT) continue;
        this.#dropEntry(ino, minor);
        waiting.push(asIno(readU64(words, 0)));
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
    const ino = this.#copy(wanted.ino, parent, minor, isDeep);
    tree.insert(parent, KIND_DIRENT, minor, DIRENT_BYTES);
    writeU64(tree.words, tree.valueWord, ino);
    writeU64(tree.words, tree.valueWord + 2, address);
    tree.words[tree.valueWord + 4] = wanted.type;
    this.#adjust(parent, 1, this.#isDirectory(this.#to, ino) ? 1 : 0, time);
    return ino;
  }

  /** Copies an inode, and what is in it. Returns its number in the other tree. */
  #copy(root: Ino, parent: Ino, minor: number, isDeep: boolean): Ino {
    const group = this.#load(this.#to, parent).quotaGroup;
    const result = this.#number(root, group);
    const waiting: Waiting[] = [{ source: root, ino: result, parent, minor, group }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (this.#inode.load(this.#to.tree, next.ino)) {
        // Another name of a file that has been copied.
        this.#inode.nlink++;
        this.#inode.store(this.#to.tree);
        continue;
      }
      for (const child of this.#copyItems(next, isDeep)) waiting.push(child);
    }
    return result;
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

  /** Returns the entries, whose inodes are to be copied next. */
  #copyItems({ source, ino, parent, minor, group: above }: Waiting, isDeep: boolean): Waiting[] {
    const { tree, store, dataset } = this.#to;
    const inode = this.#load(this.#from, source, new Inode());
    const items = itemsOf(this.#from, source);
    const group = above === 0 ? this.#copyQuota(inode, ino) : above;
    const children = isDeep ? items.filter(({ kind }) => kind === KIND_DIRENT) : [];
    const others = items.filter(({ kind }) => kind !== KIND_DIRENT && kind !== KIND_INODE);
    inode.ino = ino;
    inode.parent = parent;
    inode.nameMinor = minor;
    inode.isTransplanted ||= ino !== source;
    inode.quotaGroup = group;
    if (isDirectory(inode.mode)) {
      inode.entries = children.length;
      inode.nlink = 2 + children.filter(({ words }) => words[4] === DT_DIR).length;
    } else {
      inode.nlink = 1;
    }
    inode.insert(tree);
    visitRecords(tree.words, KIND_INODE, tree.valueWord, (record, number) => store.references.add(record, number));
    dataset.inodes++;
    dataset.dataBytes += countedBytes(inode);
    charge(tree, group, countedBytes(inode), 1);
    const waiting: Waiting[] = [];
    for (const item of [...others, ...children]) {
      const child = item.kind === KIND_DIRENT ? asIno(readU64(item.words, 0)) : undefined;
      const number = child === undefined ? undefined : this.#number(child, group);
      tree.insert(ino, item.kind, item.minor, item.words.length * 4);
      tree.words.set(item.words, tree.valueWord);
      if (child !== undefined && number !== undefined) {
        writeU64(tree.words, tree.valueWord, number);
        waiting.push({ source: child, ino: number, parent: ino, minor: item.minor, group });
      }
      visitRecords(item.words, item.kind, 0, (record, number) => store.references.add(record, number));
    }
    return waiting;
  }
}

/** DT_DIR (dirent.h). */
const DT_DIR = 4;
