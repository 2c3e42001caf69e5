/**
 * The second pass of a repair: which names stay. A name stays when it can be read and found, leads to an inode that stays in its
 * place, and, of a directory, is the only one; names that would make a loop go.
 */
import { ROOT_INO } from '../store/units.js';
import { KIND_DIRENT, KIND_INODE, readU64 } from '../volume/items.js';
import { TURNS } from '../volume/name-hash.js';
import type { InodeFates } from './inode-fates.js';
import { readRecord } from './inode-record.js';
import { entryHash, InodeTable } from './inode-table.js';
import { entryNameProblem } from './item-rules.js';
import type { Page } from './page-reader.js';
import type { StoreUnderCheck } from './store-under-check.js';
import { itemKey, type SurvivingItem, type SurvivingTree } from './surviving-items.js';

export const LOST_AND_FOUND = Buffer.from('lost+found');

interface DirectoryName {
  readonly parent: number;
  readonly minor: number;
}

export class KeptNames {
  readonly #store: StoreUnderCheck;
  readonly #tree: SurvivingTree;
  readonly #fates: InodeFates;
  /** The inodes with the names that lead to them. */
  readonly table = new InodeTable();
  /** Entries by index of the directory. */
  readonly entries: Uint32Array;
  /** The directory /lost+found if there is one, otherwise 0; the minor keys and the names in it. */
  lostAndFound = 0;
  readonly minorsThere = new Set<number>();
  readonly namesThere = new Set<string>();
  /** Whether something else has the name. */
  isNameTaken = false;

  #sameHash: { readonly object: number; readonly hash: number; readonly names: Buffer[] } | undefined;

  constructor(store: StoreUnderCheck, tree: SurvivingTree, fates: InodeFates) {
    this.#store = store;
    this.#tree = tree;
    this.#fates = fates;
    this.entries = new Uint32Array(fates.table.length);
  }

  decide(): void {
    this.#dropUnusable();
    this.#dropSecondNames();
    this.#count(this.#fates.table);
    this.#fates.table.findCycles(this.#fates.table.find(ROOT_INO));
    this.#dropLoops();
    copyInodes(this.#fates.table, this.table);
    this.#count(this.table, true);
  }

  *#entries(): Generator<SurvivingItem> {
    for (const item of this.#tree.items()) {
      const { page, slot } = item;
      if (page.kind(slot) !== KIND_DIRENT) continue;
      if (!this.#fates.dropped.has(itemKey(page.object(slot), KIND_DIRENT, page.minor(slot)))) yield item;
    }
  }

  #drop(object: number, minor: number): void {
    this.#fates.dropped.add(itemKey(object, KIND_DIRENT, minor));
  }

  #dropUnusable(): void {
    for (const { page, slot } of this.#entries()) {
      if (!this.#isUsable(page, slot)) this.#drop(page.object(slot), page.minor(slot));
      else this.#noteLostAndFound(page, slot);
    }
  }

  #isUsable(page: Page, slot: number): boolean {
    const { table, fates } = this.#fates;
    const parent = table.find(page.object(slot));
    const child = readU64(page.words, page.valueWord(slot));
    if (parent < 0 || !table.isDirectory(parent)) return false;
    if (child === ROOT_INO || table.find(child) < 0 || fates.get(child)?.evicted !== undefined) return false;
    const owner = this.#fates.transplanted.has(page.object(slot)) ? 'transplanted' : 'own';
    return entryNameProblem(this.#store, page, slot, owner) === undefined && this.#isUnique(page, slot);
  }

  /** Whether the name just read is the first of its kind in the directory. */
  #isUnique(page: Page, slot: number): boolean {
    const object = page.object(slot);
    const hash = Math.floor(page.minor(slot) / TURNS);
    const name = Buffer.from(this.#store.strings.payload);
    if (this.#sameHash?.object !== object || this.#sameHash.hash !== hash) {
      this.#sameHash = { object, hash, names: [] };
    }
    const { names } = this.#sameHash;
    if (names.some((other) => other.equals(name))) return false;
    names.push(name);
    return true;
  }

  /** The root's entries come before those of /lost+found, whose number is higher. */
  #noteLostAndFound(page: Page, slot: number): void {
    const name = this.#store.strings.payload;
    if (page.object(slot) === ROOT_INO && LOST_AND_FOUND.equals(name)) {
      const child = readU64(page.words, page.valueWord(slot));
      if (this.#fates.table.isDirectory(this.#fates.table.find(child))) this.lostAndFound = child;
      else this.isNameTaken = true;
    } else if (page.object(slot) === this.lostAndFound) {
      this.minorsThere.add(page.minor(slot));
      this.namesThere.add(Buffer.from(name).toString('latin1'));
    }
  }

  /** Of several names of a directory, the one stays that its record agrees with, otherwise the first. */
  #dropSecondNames(): void {
    const { table } = this.#fates;
    const several = new Map<number, DirectoryName[]>();
    const seen = new Uint8Array(table.length);
    for (const { page, slot } of this.#entries()) {
      const index = table.find(readU64(page.words, page.valueWord(slot)));
      if (table.isDirectory(index) && seen[index] < 2) seen[index]++;
    }
    for (const { page, slot } of this.#entries()) {
      const child = readU64(page.words, page.valueWord(slot));
      if (seen[table.find(child)] < 2) continue;
      const name = { parent: page.object(slot), minor: page.minor(slot) };
      several.set(child, [...(several.get(child) ?? []), name]);
    }
    for (const [child, names] of several) {
      const parent = this.#recordedParent(child);
      const kept = names.find((name) => name.parent === parent) ?? names[0];
      for (const name of names) if (name !== kept) this.#drop(name.parent, name.minor);
    }
  }

  /** The directory /lost+found, if it is still what the root's entry leads to; otherwise 0. */
  usableLostAndFound(): number {
    const index = this.table.find(this.lostAndFound);
    const isThere = index >= 0 && this.table.parent(index) === this.table.find(ROOT_INO);
    if (!isThere) {
      this.minorsThere.clear();
      this.namesThere.clear();
    }
    return isThere ? this.lostAndFound : 0;
  }

  /** Minor keys in use in the root directory for names with the hash of `minor`. */
  minorsInRootLike(minor: number): Set<number> {
    const minors = new Set<number>();
    for (const { page, slot } of this.#tree.leaves.items(ROOT_INO, KIND_DIRENT, minor)) {
      if (page.minor(slot) >= minor + TURNS) break;
      minors.add(page.minor(slot));
    }
    return minors;
  }

  #recordedParent(ino: number): number {
    for (const { page, slot } of this.#tree.leaves.items(ino, KIND_INODE, 0)) {
      return readRecord(page.words, page.valueWord(slot)).parent;
    }
    return 0;
  }

  #dropLoops(): void {
    const { table } = this.#fates;
    for (const { page, slot } of this.#entries()) {
      const child = table.find(readU64(page.words, page.valueWord(slot)));
      if (table.isCycleHead(child)) this.#drop(page.object(slot), page.minor(slot));
    }
  }

  #count(table: InodeTable, withEntries = false): void {
    for (const { page, slot } of this.#entries()) {
      const parent = table.find(page.object(slot));
      const child = table.find(readU64(page.words, page.valueWord(slot)));
      const hash = withEntries ? entryHash(page.object(slot), page.minor(slot)) : 0;
      table.addName(child, parent, hash);
      if (withEntries) this.entries[parent]++;
    }
  }
}

function copyInodes(from: InodeTable, to: InodeTable): void {
  for (let index = 0; index < from.length; index++) to.add(from.ino(index), from.type(index) << 12, from.hint(index));
}
