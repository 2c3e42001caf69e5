/**
 * The last part of the repair of a tree: all items that stay, with their counts put right, and those that were added, in key order
 * into a new tree.
 */
import { ROOT_INO } from '../store/units.js';
import { STORAGE_MASK, STORAGE_PACK, STORAGE_PARTS, STORAGE_WORD } from '../volume/inode.js';
import {
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_PART,
  KIND_QUOTA,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
  writeI64,
  writeU64,
} from '../volume/items.js';
import { isRegular, isSymlink } from '../volume/mode.js';
import { addToUsage, QUOTA_BYTES, writeQuotaLimits } from '../volume/quota-record.js';
import type { InodeFates } from './inode-fates.js';
import {
  INODE_WORDS,
  NAME_MINOR_WORD,
  NANOSECOND_WORDS,
  PARENT_WORD,
  QUOTA_SHIFT,
  readRecord,
  TRANSPLANTED,
} from './inode-record.js';
import { NO_PARENT } from './inode-table.js';
import type { KeptNames } from './kept-names.js';
import type { KeptQuotas } from './kept-quotas.js';
import type { LostAndFound, MadeInode } from './lost-and-found.js';
import type { NewItem, NewItems } from './new-items.js';
import { compareKeys, type Page } from './page-reader.js';
import { pause } from './pause.js';
import { itemKey, type SurvivingTree } from './surviving-items.js';
import type { TreeWriter } from './tree-writer.js';

const NANOSECONDS_PER_SECOND = 1_000_000_000;
/** Words of atime, mtime, ctime and btime in a record: seconds. */
const SECOND_WORDS: readonly number[] = [8, 11, 14, 17];
const ITEMS_BETWEEN_PAUSES = 16_384;

export interface RebuildInputs {
  readonly tree: SurvivingTree;
  readonly fates: InodeFates;
  readonly names: KeptNames;
  readonly quotas: KeptQuotas;
  readonly lostAndFound: LostAndFound;
  readonly items: NewItems;
  /** Milliseconds since 1970: the times of what is made. */
  readonly now: number;
}

export class Rebuild {
  readonly #inputs: RebuildInputs;
  inodes = 0;
  /** Sizes of regular files. */
  dataBytes = 0;

  constructor(inputs: RebuildInputs) {
    this.#inputs = inputs;
  }

  /** Writes the tree. */
  async write(writer: TreeWriter): Promise<void> {
    const { items } = this.#inputs;
    this.#addRecords();
    this.#addTreeItems();
    await this.#writeItems(writer, items.take());
  }

  /** Whether an item of the old tree is one of the new tree too. */
  #isKept(page: Page, slot: number): boolean {
    const { fates, names } = this.#inputs;
    const [object, kind] = [page.object(slot), page.kind(slot)];
    if (object === VOLUME_OBJECT) return false;
    const index = names.table.find(object);
    if (index < 0) return false;
    switch (kind) {
      case KIND_XATTR:
      case KIND_DIRENT:
        return !fates.dropped.has(itemKey(object, kind, page.minor(slot)));
      case KIND_PART: {
        const fate = fates.fates.get(object);
        const hasParts = fate === undefined || fate.storage === STORAGE_PARTS;
        return hasParts && !fates.dropped.has(itemKey(object, kind, page.minor(slot)));
      }
      case KIND_SYMLINK:
        return isSymlink(names.table.type(index) << 12);
      case KIND_EXTENT: {
        const fate = fates.fates.get(object);
        return fate === undefined || (fate.storage === STORAGE_PACK && fate.newExtent === undefined);
      }
      default:
        return true;
    }
  }

  // ── Records ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Adds the records of inodes that had none, and extents that are new. */
  #addRecords(): void {
    const { fates, items, lostAndFound, names } = this.#inputs;
    for (const [ino, fate] of fates.fates) {
      if (fate.newExtent !== undefined) items.addExtent(ino, fate.newExtent);
      if (!fate.isNew) continue;
      const words = this.#newRecord();
      if (fates.transplanted.has(ino)) words[STORAGE_WORD] = TRANSPLANTED;
      this.#correct(words, 0, ino, names.table.find(ino));
      this.#addRecord(ino, words);
    }
    for (const made of lostAndFound.made) this.#addRecord(made.ino, this.#madeRecord(made));
  }

  #addRecord(ino: number, words: Uint32Array): void {
    this.#countRecord(words);
    this.#inputs.items.add(ino, KIND_INODE, 0, words);
  }

  #countRecord(words: Uint32Array): void {
    this.inodes++;
    if (isRegular(words[0])) this.dataBytes += readU64(words, 6);
  }

  #newRecord(): Uint32Array {
    const words = new Uint32Array(INODE_WORDS);
    for (const at of SECOND_WORDS) writeI64(words, at, Math.floor(this.#inputs.now / 1000));
    return words;
  }

  #madeRecord(made: MadeInode): Uint32Array {
    const words = this.#newRecord();
    words[0] = made.mode;
    words[1] = made.nlink;
    words[STORAGE_WORD] = made.storage;
    writeU64(words, 6, made.size);
    writeU64(words, 20, made.blob);
    writeU64(words, PARENT_WORD, made.parent);
    words[25] = made.entries;
    return words;
  }

  /** Puts a record right, in place. */
  #correct(words: Uint32Array, at: number, ino: number, index: number): void {
    const { fates, lostAndFound, names, quotas } = this.#inputs;
    const { table } = names;
    const fate = fates.fates.get(ino);
    if (fate !== undefined) {
      words[at] = fate.mode;
      words[at + STORAGE_WORD] = (words[at + STORAGE_WORD] & ~STORAGE_MASK) | fate.storage;
      writeU64(words, at + 6, fate.size);
      writeU64(words, at + 20, fate.blob);
    }
    const kept = words[at + STORAGE_WORD] & (STORAGE_MASK | TRANSPLANTED);
    words[at + STORAGE_WORD] = ((quotas.group(index) << QUOTA_SHIFT) | kept) >>> 0;
    for (const word of NANOSECOND_WORDS) if (words[at + word] >= NANOSECONDS_PER_SECOND) words[at + word] = 0;
    words[at + 24] = fates.xattrs[index];
    const isDirectory = table.isDirectory(index);
    words[at + 25] = isDirectory ? names.entries[index] + (lostAndFound.addedEntries.get(ino) ?? 0) : 0;
    if (lostAndFound.orphans.has(ino)) words[at + 1] = 0;
    else if (isDirectory) words[at + 1] = 2 + table.links(index) + (lostAndFound.addedDirectories.get(ino) ?? 0);
    else words[at + 1] = table.links(index) + (lostAndFound.addedNames.get(ino) ?? 0);
    this.#correctPlace(words, at, ino, index);
  }

  /** What the record says of where the inode is: a file may leave it open, a directory knows the directory that it is in. */
  #correctPlace(words: Uint32Array, at: number, ino: number, index: number): void {
    const { lostAndFound, names } = this.#inputs;
    const { table } = names;
    const { parent, nameMinor } = readRecord(words, at);
    if (lostAndFound.orphans.has(ino)) return;
    const isRight = !table.hasWrongHint(index);
    if (table.isDirectory(index)) {
      const above = this.#parentOf(ino, index);
      writeU64(words, at + PARENT_WORD, above);
      writeU64(words, at + NAME_MINOR_WORD, isRight && above === parent ? nameMinor : 0);
    } else if (!isRight) {
      writeU64(words, at + PARENT_WORD, 0);
      writeU64(words, at + NAME_MINOR_WORD, 0);
    }
  }

  #parentOf(ino: number, index: number): number {
    const { lostAndFound, names } = this.#inputs;
    const parent = names.table.parent(index);
    if (parent !== NO_PARENT) return names.table.ino(parent);
    // The root is its own parent.
    return lostAndFound.parents.get(ino) ?? ROOT_INO;
  }

  // ── The tree's own items ─────────────────────────────────────────────────────────────────────────────────────────────

  #addTreeItems(): void {
    const { items, lostAndFound, quotas } = this.#inputs;
    for (const ino of lostAndFound.orphans) items.addMark(KIND_ORPHAN, ino);
    for (const [group, { record, bytes, inodes }] of quotas.quotas) {
      const value = new Uint32Array(QUOTA_BYTES / 4);
      writeQuotaLimits(value, 0, record.directory, record.limits);
      addToUsage(value, 0, bytes, inodes);
      items.add(VOLUME_OBJECT, KIND_QUOTA, group, value);
    }
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #writeItems(writer: TreeWriter, added: readonly NewItem[]): Promise<void> {
    const { names, tree } = this.#inputs;
    const record = new Uint32Array(INODE_WORDS);
    let next = 0;
    let seen = 0;
    const addNext = (): void => {
      const { key, value, length } = added[next++];
      writer.add(key, 0, value, 0, length);
    };
    for (const { page, slot } of tree.items()) {
      if (++seen % ITEMS_BETWEEN_PAUSES === 0) await pause();
      if (!this.#isKept(page, slot)) continue;
      const key = page.keyWord(slot);
      while (next < added.length && compareKeys(added[next].key, 0, page.words, key) < 0) addNext();
      if (next < added.length && compareKeys(added[next].key, 0, page.words, key) === 0) continue;
      const at = page.valueWord(slot);
      switch (page.kind(slot)) {
        case KIND_INODE: {
          const ino = page.object(slot);
          record.set(page.words.subarray(at, at + INODE_WORDS));
          this.#correct(record, 0, ino, names.table.find(ino));
          this.#countRecord(record);
          writer.add(page.words, key, record, 0, INODE_WORDS * 4);
          break;
        }
        case KIND_DIRENT: {
          const value = page.words.slice(at, at + page.valueLength(slot) / 4);
          value[4] = names.table.type(names.table.find(readU64(value, 0)));
          writer.add(page.words, key, value, 0, page.valueLength(slot));
          break;
        }
        default:
          writer.add(page.words, key, page.words, at, page.valueLength(slot));
      }
    }
    while (next < added.length) addNext();
  }
}
