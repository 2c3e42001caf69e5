/**
 * Writes whole new trees from items that come in key order, into pages that no checkpoint has used: those after the last page of
 * the store. Nothing that exists is overwritten.
 *
 * Relies on the page format (tree/page.ts).
 */
import { crc32cPages } from '../native/addon.js';
import type { Disk, DiskFile } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { asPageNumber, type Epoch, type PageNumber } from '../store/units.js';
import { KEY_WORDS } from '../tree/key.js';
import {
  BRANCH_CAPACITY,
  branchSlot,
  initializePage,
  LEAF_CAPACITY,
  LEAF_SLOT_BYTES,
  leafSlot,
  PAGE_CHECKSUM_BYTE,
  PAGE_WORDS,
  padded,
  setLevelAndCount,
  WORD_VALUES_START,
} from '../tree/page.js';
import { nodesSegmentName } from '../tree/page-file.js';

const ALLOCATED_AT_ONCE_PAGES = 256;
const FIRST_INDEX = Uint32Array.of(0);

/** Appends pages to nodes.dat and its successors. */
export class PageAppender {
  readonly #disk: Disk;
  readonly #segmentPages: number;
  readonly #files = new Map<number, DiskFile>();
  /** One more than the last page that was taken. */
  next: number;
  #allocated: number;

  /** `first`: the first page number that may be written; pages from there on belong to nobody. */
  constructor(disk: Disk, segmentBytes: number, first: number) {
    this.#disk = disk;
    this.#segmentPages = segmentBytes / PAGE_SIZE;
    this.next = first;
    this.#allocated = first;
  }

  #file(index: number): DiskFile {
    let file = this.#files.get(index);
    if (file === undefined) {
      const name = nodesSegmentName(index);
      file = this.#disk.open(name, this.#disk.exists(name) ? 'write' : 'create');
      this.#files.set(index, file);
    }
    return file;
  }

  take(): PageNumber {
    if (this.next === this.#allocated) {
      const within = this.next % this.#segmentPages;
      const count = Math.min(ALLOCATED_AT_ONCE_PAGES, this.#segmentPages - within);
      this.#file(Math.floor(this.next / this.#segmentPages)).allocate(within * PAGE_SIZE, count * PAGE_SIZE);
      this.#allocated += count;
    }
    return asPageNumber(this.next++);
  }

  /** Seals a page and writes it. */
  put(page: PageNumber, words: Uint32Array): void {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, PAGE_SIZE);
    crc32cPages(bytes, FIRST_INDEX, 1, PAGE_CHECKSUM_BYTE);
    const file = this.#file(Math.floor(page / this.#segmentPages));
    file.write(bytes, 0, PAGE_SIZE, (page % this.#segmentPages) * PAGE_SIZE);
  }

  /** Makes all of it durable. */
  async sync(): Promise<void> {
    for (const file of this.#files.values()) await file.sync();
    this.#disk.syncDirectory('');
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }
}

class Branch {
  readonly words = new Uint32Array(PAGE_WORDS);
  readonly firstKey = new Uint32Array(KEY_WORDS);
  count = 0;
  /** Whether pages of this level were written before. */
  hasNeighbours = false;
}

export class TreeWriter {
  readonly #pages: PageAppender;
  readonly #epoch: Epoch;
  readonly #leaf = new Uint32Array(PAGE_WORDS);
  readonly #leafKey = new Uint32Array(KEY_WORDS);
  #leafCount = 0;
  #valuesStart = PAGE_SIZE;
  readonly #branches: Branch[] = [];

  constructor(pages: PageAppender, epoch: Epoch) {
    this.#pages = pages;
    this.#epoch = epoch;
  }

  /** Adds an item; its key must be greater than that of the one before. `valueLength` is in bytes. */
  add(key: Uint32Array, keyAt: number, value: Uint32Array, valueAt: number, valueLength: number): void {
    const used = this.#leafCount * LEAF_SLOT_BYTES + (PAGE_SIZE - this.#valuesStart);
    if (used + LEAF_SLOT_BYTES + padded(valueLength) > LEAF_CAPACITY) this.#flushLeaf();
    const slot = leafSlot(0, this.#leafCount);
    for (let i = 0; i < KEY_WORDS; i++) this.#leaf[slot + i] = key[keyAt + i];
    if (this.#leafCount === 0) this.#leafKey.set(this.#leaf.subarray(slot, slot + KEY_WORDS));
    this.#valuesStart -= padded(valueLength);
    this.#leaf[slot + KEY_WORDS] = ((valueLength << 16) | (valueLength === 0 ? 0 : this.#valuesStart)) >>> 0;
    const words = padded(valueLength) / 4;
    for (let i = 0; i < words; i++) this.#leaf[this.#valuesStart / 4 + i] = value[valueAt + i];
    this.#leafCount++;
  }

  #flushLeaf(): void {
    const page = this.#pages.take();
    initializePage(this.#leaf, 0, page, 0, this.#epoch);
    setLevelAndCount(this.#leaf, 0, 0, this.#leafCount);
    this.#leaf[WORD_VALUES_START] = this.#valuesStart;
    this.#pages.put(page, this.#leaf);
    this.#addChild(1, this.#leafKey, page);
    this.#leaf.fill(0);
    this.#leafCount = 0;
    this.#valuesStart = PAGE_SIZE;
  }

  #addChild(level: number, key: Uint32Array, child: PageNumber): void {
    this.#branches[level] ??= new Branch();
    const branch = this.#branches[level];
    if (branch.count === BRANCH_CAPACITY) this.#flushBranch(level, branch);
    const slot = branchSlot(0, branch.count);
    if (branch.count === 0) branch.firstKey.set(key);
    else branch.words.set(key, slot);
    branch.words[slot + KEY_WORDS] = child;
    branch.words[slot + KEY_WORDS + 1] = this.#epoch >>> 0;
    branch.count++;
  }

  #flushBranch(level: number, branch: Branch): void {
    const page = this.#pages.take();
    initializePage(branch.words, 0, page, level, this.#epoch);
    setLevelAndCount(branch.words, 0, level, branch.count);
    this.#pages.put(page, branch.words);
    this.#addChild(level + 1, branch.firstKey, page);
    branch.words.fill(0);
    branch.count = 0;
    branch.hasNeighbours = true;
  }

  /** Writes what is left. Returns the root. */
  finish(): PageNumber {
    this.#flushLeaf();
    let level = 1;
    while (this.#branches[level].hasNeighbours || this.#branches[level].count > 1) {
      this.#flushBranch(level, this.#branches[level]);
      level++;
    }
    return asPageNumber(this.#branches[level].words[branchSlot(0, 0) + KEY_WORDS]);
  }
}
