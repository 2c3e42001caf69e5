/**
 * The last part of a repair of the tree: all items that stay, with their counts put right, and those that were added, in key
 * order into a new tree.
 */
import type { Disk } from '../store/disk.js';
import { type Epoch, ROOT_INO } from '../store/units.js';
import { STORAGE_PACK } from '../volume/inode.js';
import {
  ARENA_PACKS,
  ARENA_STRINGS,
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_SEGMENT,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  segmentMinor,
  VOLUME_OBJECT,
  writeI64,
  writeU64,
} from '../volume/items.js';
import { isRegular, isSymlink } from '../volume/mode.js';
import type { ArenaReader } from './arena-reader.js';
import type { InodeFates } from './inode-fates.js';
import { INODE_WORDS, NANOSECOND_WORDS } from './inode-record.js';
import { NO_PARENT } from './inode-table.js';
import type { KeptNames } from './kept-names.js';
import type { Leaves } from './leaves.js';
import type { LostAndFound, MadeInode } from './lost-and-found.js';
import type { NewItem, NewItems } from './new-items.js';
import { compareKeys, type Page } from './page-reader.js';
import { pause } from './pause.js';
import type { StoreUnderCheck } from './store-under-check.js';
import { itemKey, survivingItems } from './surviving-items.js';
import { TreeWriter, type WrittenTree } from './tree-writer.js';

const NANOSECONDS_PER_SECOND = 1_000_000_000;
/** Words of atime, mtime, ctime and btime in a record: seconds. */
const SECOND_WORDS: readonly number[] = [8, 11, 14, 17];
const ITEMS_BETWEEN_PAUSES = 16_384;

export interface RebuiltTree extends WrittenTree {
  readonly inodes: number;
  readonly dataBytes: number;
}

export interface RebuildInputs {
  readonly store: StoreUnderCheck;
  readonly leaves: Leaves;
  readonly fates: InodeFates;
  readonly names: KeptNames;
  readonly lostAndFound: LostAndFound;
  readonly items: NewItems;
  /** Milliseconds since 1970: the times of what is made. */
  readonly now: number;
}

export class Rebuild {
  readonly #inputs: RebuildInputs;
  readonly #live = new Map<number, number>();
  #inodes = 0;
  #dataBytes = 0;

  constructor(inputs: RebuildInputs) {
    this.#inputs = inputs;
  }

  /** Writes the tree into pages from `firstPage` on. */
  async write(disk: Disk, firstPage: number, epoch: Epoch): Promise<RebuiltTree> {
    this.#addRecords();
    await this.#countLive();
    this.#addVolumeItems();
    const { items, store } = this.#inputs;
    await items.sync();
    const writer = new TreeWriter(disk, store.superblock.geometry.nodesSegmentBytes, firstPage, epoch);
    try {
      await this.#writeItems(writer, items.sorted());
      return { ...(await writer.finish()), inodes: this.#inodes, dataBytes: this.#dataBytes };
    } finally {
      writer.close();
    }
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
        return fates.dropped.size === 0 || !fates.dropped.has(itemKey(object, kind, page.minor(slot)));
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
      this.#correct(words, 0, ino, names.table.find(ino));
      this.#addRecord(ino, words);
    }
    for (const made of lostAndFound.made) this.#addRecord(made.ino, this.#madeRecord(made));
  }

  #addRecord(ino: number, words: Uint32Array): void {
    this.#inodes++;
    if (isRegular(words[0])) this.#dataBytes += readU64(words, 6);
    this.#inputs.items.add(ino, KIND_INODE, 0, words);
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
    words[5] = made.storage;
    writeU64(words, 6, made.size);
    writeU64(words, 20, made.blob);
    writeU64(words, 22, made.parent);
    words[25] = made.entries;
    return words;
  }

  /** Puts a record right, in place. */
  #correct(words: Uint32Array, at: number, ino: number, index: number): void {
    const { fates, lostAndFound, names } = this.#inputs;
    const { table } = names;
    const fate = fates.fates.get(ino);
    if (fate !== undefined) {
      words[at] = fate.mode;
      words[at + 5] = fate.storage;
      writeU64(words, at + 6, fate.size);
      writeU64(words, at + 20, fate.blob);
    }
    for (const word of NANOSECOND_WORDS) if (words[at + word] >= NANOSECONDS_PER_SECOND) words[at + word] = 0;
    words[at + 24] = fates.xattrs[index];
    words[at + 26] = 0;
    words[at + 27] = 0;
    const isDirectory = table.isDirectory(index);
    words[at + 25] = isDirectory ? names.entries[index] + (lostAndFound.addedEntries.get(ino) ?? 0) : 0;
    if (lostAndFound.orphans.has(ino)) words[at + 1] = 0;
    else if (isDirectory) words[at + 1] = 2 + table.links(index) + (lostAndFound.addedDirectories.get(ino) ?? 0);
    else words[at + 1] = table.links(index) + (lostAndFound.addedNames.get(ino) ?? 0);
    writeU64(words, at + 22, isDirectory ? this.#parentOf(ino, index, readU64(words, at + 22)) : 0);
  }

  #parentOf(ino: number, index: number, recorded: number): number {
    const { lostAndFound, names } = this.#inputs;
    const parent = names.table.parent(index);
    if (parent !== NO_PARENT) return names.table.ino(parent);
    // The root is its own parent; a directory that waits for its last user keeps what it says.
    return lostAndFound.parents.get(ino) ?? (ino === ROOT_INO ? ROOT_INO : recorded);
  }

  // ── The volume's own items ───────────────────────────────────────────────────────────────────────────────────────────

  async #countLive(): Promise<void> {
    const { leaves, store, items } = this.#inputs;
    let seen = 0;
    for (const { page, slot } of survivingItems(leaves)) {
      if (++seen % ITEMS_BETWEEN_PAUSES === 0) await pause();
      if (!this.#isKept(page, slot)) continue;
      const at = page.valueWord(slot);
      const count = (arena: number, reader: ArenaReader, word: number): void => {
        const address = readU64(page.words, at + word);
        reader.read(address, page.object(slot), page.kind(slot), page.minor(slot));
        this.#addLive(segmentMinor(arena, Math.floor(address / reader.segmentBytes)), reader.size);
      };
      switch (page.kind(slot)) {
        case KIND_XATTR:
          count(ARENA_STRINGS, store.strings, 0);
          count(ARENA_STRINGS, store.strings, 2);
          break;
        case KIND_DIRENT:
          count(ARENA_STRINGS, store.strings, 2);
          break;
        case KIND_SYMLINK:
          count(ARENA_STRINGS, store.strings, 0);
          break;
        case KIND_EXTENT:
          count(ARENA_PACKS, store.packs, 0);
          break;
      }
    }
    for (const [index, bytes] of items.strings.live) this.#addLive(segmentMinor(ARENA_STRINGS, index), bytes);
    for (const [index, bytes] of items.packs.live) this.#addLive(segmentMinor(ARENA_PACKS, index), bytes);
  }

  #addLive(minor: number, bytes: number): void {
    this.#live.set(minor, (this.#live.get(minor) ?? 0) + bytes);
  }

  #addVolumeItems(): void {
    const { items, lostAndFound, store } = this.#inputs;
    for (const ino of lostAndFound.orphans) items.addMark(KIND_ORPHAN, ino);
    for (const blob of lostAndFound.deadBlobs) items.addMark(KIND_DEAD_BLOB, blob);
    // Segments that hold nothing any more are named too, so that the next mount deletes them.
    for (const [arena, reader] of [
      [ARENA_STRINGS, store.strings],
      [ARENA_PACKS, store.packs],
    ] as const) {
      for (const { index } of reader.segments()) this.#addLive(segmentMinor(arena, index), 0);
    }
    for (const [minor, bytes] of this.#live) {
      const value = new Uint32Array(2);
      writeU64(value, 0, bytes);
      items.add(VOLUME_OBJECT, KIND_SEGMENT, minor, value);
    }
  }

  // ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #writeItems(writer: TreeWriter, added: readonly NewItem[]): Promise<void> {
    const { leaves, names } = this.#inputs;
    const record = new Uint32Array(INODE_WORDS);
    let next = 0;
    let seen = 0;
    const addNext = (): void => {
      const { key, value, length } = added[next++];
      writer.add(key, 0, value, 0, length);
    };
    for (const { page, slot } of survivingItems(leaves)) {
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
          this.#inodes++;
          if (isRegular(record[0])) this.#dataBytes += readU64(record, 6);
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
