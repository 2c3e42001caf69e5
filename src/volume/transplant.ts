/**
 * Copies what is at some paths from one tree to the same paths of another, sharing all names and data: how a reset carries over what
 * persists, and how one subtree is rolled back. A plan decides what keeps its number, and what is shared (transplant-plan.ts, and for
 * resets of much in-place-plan.ts).
 *
 * Names and small files are records that know the inode they were made for (arena.ts): an inode that got a new number is marked as
 * transplanted, and its records then belong to another inode by their own account.
 *
 * What is copied counts for the quota of the directory that it comes to be in. A directory that has a quota itself keeps that, unless
 * it comes to be under another. A file with names under several quotas becomes a file for each.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { Graft } from '../tree/graft.js';
import { entriesOf } from './directory-entries.js';
import { Inode, type Timestamp } from './inode.js';
import { DIRENT_BYTES, KIND_DIRENT, KIND_INODE, writeU64 } from './items.js';
import { visitRecords } from './leaf-records.js';
import { isDirectory } from './mode.js';
import { entryOf, outermost, type Place, resolvePath, splitPath, TYPE_DIRECTORY } from './paths.js';
import { charge, insertQuota } from './quota-groups.js';
import type { RecordKind } from './record-references.js';
import type { VolumeState } from './state.js';
import type { CarryPlan, ItemCopy, Placement, RecordChange } from './transplant-plan.js';

export class Transplant {
  readonly #from: VolumeState;
  readonly #to: VolumeState;
  readonly #plan: CarryPlan;
  /** Removes an inode that has lost its last name. */
  readonly #remove: (ino: Ino) => void;
  readonly #inode = new Inode();
  /** Whether the position in the tree that is copied from is at an item. */
  #isAtItem = false;
  readonly #countRecord = (record: RecordKind, number: number): void => this.#to.store.references.add(record, number);

  constructor(from: VolumeState, to: VolumeState, plan: CarryPlan, remove: (ino: Ino) => void) {
    this.#from = from;
    this.#to = to;
    this.#plan = plan;
    this.#remove = remove;
  }

  /**
   * Puts what is at these paths in the one tree at the same paths of the other, in the place of what is there. Directories on the way
   * that the other has not are copied without what is in them. Nothing happens for a path at which there is nothing. What is
   * below another path goes with that.
   */
  carry(paths: readonly string[], time: Timestamp): void {
    for (const path of outermost(paths)) this.#carryPath(path, time);
    this.#plan.finish();
    this.#share();
    for (const [group, { directory, limits }] of this.#plan.quotas) {
      insertQuota(this.#to.tree, directory, limits, group);
    }
    this.#isAtItem = false;
    for (const copy of this.#plan.copies) this.#insertCopy(copy, true);
    for (const [ino, change] of this.#plan.changes) {
      const inode = this.#load(this.#to, ino);
      changeRecord(inode, change);
      inode.store(this.#to.tree);
    }
    for (const { directory, minor, child } of this.#plan.entries) {
      const { tree } = this.#to;
      if (!tree.modify(directory, KIND_DIRENT, minor)) throw missingEntry(directory);
      writeU64(tree.words, tree.valueWord, child);
    }
    this.#countUsage();
  }

  #carryPath(path: string, time: Timestamp): void {
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
    return isDirectory(this.#load(state, ino).mode);
  }

  #load(state: VolumeState, ino: Ino): Inode {
    if (!this.#inode.load(state.tree, ino)) throw new CorruptionError(`inode ${ino}`, 'missing');
    return this.#inode;
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
      for (const entry of entriesOf(this.#to.tree, ino)) {
        this.#dropEntry(ino, entry.minor);
        waiting.push(entry.ino);
      }
      this.#to.orphans.add(ino);
      this.#remove(ino);
    }
  }

  #dropEntry(parent: Ino, minor: number): void {
    const { tree, strings, entries } = this.#to;
    if (!tree.modify(parent, KIND_DIRENT, minor)) throw missingEntry(parent);
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
    const placement = { parent, minor, group: this.#load(this.#to, parent).quotaGroup };
    const ino = isDeep ? this.#plan.add(wanted, placement) : this.#copyAlone(wanted.ino, placement);
    tree.insert(parent, KIND_DIRENT, minor, DIRENT_BYTES);
    writeU64(tree.words, tree.valueWord, ino);
    writeU64(tree.words, tree.valueWord + 2, address);
    tree.words[tree.valueWord + 4] = wanted.type;
    this.#adjust(parent, 1, wanted.type === TYPE_DIRECTORY ? 1 : 0, time);
    return ino;
  }

  #copyAlone(source: Ino, placement: Placement): Ino {
    const copy = this.#plan.addAlone(source, placement);
    this.#isAtItem = false;
    this.#insertCopy(copy, false);
    return copy.ino;
  }

  /** Has the other tree share what lies in ranges; its former root goes. */
  #share(): void {
    const { ranges } = this.#plan;
    if (ranges.length === 0) return;
    const { tree, store } = this.#to;
    const root = new Graft(store.pages, tree.root, this.#from.tree.root, ranges).make();
    store.dying.push(tree.root);
    tree.switchTo(root);
  }

  /** Copies an inode and its items, with or without its entries. */
  #insertCopy({ source, ino, change }: ItemCopy, isDeep: boolean): void {
    const { tree } = this.#to;
    const from = this.#from.tree;
    const inode = this.#inode;
    // What has neighbouring numbers lies side by side: the position is often there already.
    if (this.#isAtItem && from.isAt(source, KIND_INODE)) inode.read(from, source);
    else this.#load(this.#from, source);
    if (!isDeep) inode.entries = 0;
    inode.ino = ino;
    inode.isTransplanted ||= ino !== source;
    if (change !== undefined) changeRecord(inode, change);
    inode.insert(tree);
    visitRecords(tree.words, KIND_INODE, tree.valueWord, this.#countRecord);
    for (this.#isAtItem = from.next(); this.#isAtItem && from.object === source; this.#isAtItem = from.next()) {
      const { words, valueWord, kind } = from;
      if (kind === KIND_DIRENT && !isDeep) continue;
      const length = Math.ceil(from.valueLength / 4);
      tree.insert(ino, kind, from.minor, length * 4);
      // Most values are shorter than what it takes to make a view of them.
      for (let word = 0; word < length; word++) tree.words[tree.valueWord + word] = words[valueWord + word];
      visitRecords(words, kind, valueWord, this.#countRecord);
    }
  }

  #countUsage(): void {
    const { dataset, tree } = this.#to;
    for (const [group, { bytes, inodes }] of this.#plan.usage) {
      dataset.inodes += inodes;
      dataset.dataBytes += bytes;
      charge(tree, group, bytes, inodes);
    }
  }
}

function changeRecord(inode: Inode, { parent, minor, group, nlink }: RecordChange): void {
  inode.parent = parent;
  inode.nameMinor = minor;
  inode.quotaGroup = group;
  inode.nlink = nlink;
}

const missingEntry = (directory: Ino): CorruptionError =>
  new CorruptionError(`inode ${directory}`, 'an entry is missing');
