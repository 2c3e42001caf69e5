/**
 * Pages with copy-on-write and reference counts, after Rodeh, "B-trees, Shadowing, and Clones" (ACM ToS 2008).
 *
 * Invariants:
 * - A page born before the current epoch is never changed: `writable` copies it first.
 * - A page's count is the number of branch pages and roots that point to it.
 * - A page that the last durable checkpoint reaches is not allocated again before the next checkpoint is durable.
 */
import { setImmediate } from 'node:timers/promises';
import type { Disk } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { asEpoch, asPageNumber, type Epoch, type PageNumber } from '../store/units.js';
import { KEY_WORDS } from './key.js';
import {
  BRANCH_SLOT_WORDS,
  branchSlot,
  countOf,
  initializePage,
  levelOf,
  PAGE_WORDS,
  setBirth,
  WORD_NUMBER,
} from './page.js';
import { PageFile } from './page-file.js';
import {
  REFERENCES_PER_BLOCK,
  type ReferenceImage,
  References,
  referencesName,
  writeReferences,
} from './references.js';

/** Pages whose checksums are written without letting requests be served in between: about a millisecond. */
const PAGES_SEALED_AT_ONCE = 256;

/** What a checkpoint has to make durable of the pages. */
export interface PageCheckpoint {
  readonly epoch: Epoch;
  /** Pages born in the epoch that ended. */
  readonly born: readonly PageNumber[];
  /** Pages that only the checkpoint before this one reaches. */
  readonly freed: readonly PageNumber[];
  readonly references: ReferenceImage;
}

export class PageStore {
  readonly file: PageFile;
  /** Counts the changes of which pages there are, and which point to which: while it stays the same, so does every path to a leaf. */
  layout = 0;
  readonly #disk: Disk;
  readonly #references: References;
  /** The current epoch: pages born in it may be changed in place. */
  #epoch: Epoch;
  /** The epoch of the last checkpoint that is durable. */
  #durableEpoch: Epoch;
  #born: PageNumber[] = [];
  #freed: PageNumber[] = [];
  /** Told of each leaf that is copied while others still point to it: what its items refer to has one more leaf from then on. */
  onLeafShared: (words: Uint32Array, base: number) => void = () => undefined;

  private constructor(disk: Disk, file: PageFile, references: References, epoch: Epoch) {
    this.#disk = disk;
    this.file = file;
    this.#references = references;
    this.#epoch = epoch;
    this.#durableEpoch = asEpoch(epoch - 1);
  }

  /** Makes the files of a new store, whose first epoch is 1. */
  static create(disk: Disk, segmentBytes: number): PageStore {
    PageFile.create(disk, segmentBytes);
    const capacity = Math.min(segmentBytes / PAGE_SIZE, 256);
    const file = PageFile.open(disk, segmentBytes, capacity, false);
    const references = new References(capacity);
    for (const epoch of [asEpoch(0), asEpoch(1)]) {
      const counts = disk.open(referencesName(epoch), 'create');
      counts.allocate(0, Math.ceil(capacity / REFERENCES_PER_BLOCK) * PAGE_SIZE);
      counts.syncNow();
      counts.close();
    }
    return new PageStore(disk, file, references, asEpoch(1));
  }

  /** Opens the pages as checkpoint `epoch` left them; the epoch after it begins. */
  static open(disk: Disk, segmentBytes: number, capacity: number, epoch: Epoch, readOnly: boolean): PageStore {
    const file = PageFile.open(disk, segmentBytes, capacity, readOnly);
    return new PageStore(disk, file, References.load(disk, epoch, capacity), asEpoch(epoch + 1));
  }

  get epoch(): Epoch {
    return this.#epoch;
  }

  /** Pages born in the current epoch so far. */
  get bornCount(): number {
    return this.#born.length;
  }

  /** Makes sure that `count` pages can be allocated. Throws DiskError (ENOSPC) and changes nothing. */
  reserve(count: number): void {
    while (this.#references.free < count) {
      const capacity = this.file.capacity;
      this.#allocateReferences(capacity + Math.max(capacity, count));
      this.file.grow();
      this.#references.extend(this.file.capacity);
    }
  }

  /** Pages that can be allocated without asking the disk for space. */
  get free(): number {
    return this.#references.free;
  }

  #allocateReferences(capacity: number): void {
    const length = Math.ceil(capacity / REFERENCES_PER_BLOCK) * PAGE_SIZE;
    for (const epoch of [asEpoch(0), asEpoch(1)]) {
      const counts = this.#disk.open(referencesName(epoch), 'write');
      try {
        if (counts.size() < length) counts.allocate(0, length);
      } finally {
        counts.close();
      }
    }
  }

  words(page: PageNumber): Uint32Array {
    return this.file.words(page);
  }

  base(page: PageNumber): number {
    return this.file.base(page);
  }

  /** Whether a page has its final content and checksum on its way to the disk: it is of a checkpoint that is durable. */
  isSealed(page: PageNumber): boolean {
    return this.file.birth(page) <= this.#durableEpoch;
  }

  count(page: PageNumber): number {
    return this.#references.count(page);
  }

  /** A new page of the current epoch, empty, with one reference. There must be a free one (`reserve`). */
  allocate(level: number): PageNumber {
    this.layout++;
    const page = this.#references.allocate();
    this.#born.push(page);
    initializePage(this.file.wordsOfNew(page), this.file.base(page), page, level, this.#epoch);
    return page;
  }

  /**
   * A page that may be changed in place of `page`: itself when it was born in this epoch and has one parent, otherwise a
   * copy, which takes over one of its references. The caller points the parent to the result.
   */
  writable(page: PageNumber): PageNumber {
    const references = this.#references;
    if (this.file.birth(page) === this.#epoch && references.count(page) === 1) return page;
    this.layout++;
    const words = this.file.words(page);
    const base = this.file.base(page);
    const copy = references.allocate();
    this.#born.push(copy);
    const copyWords = this.file.wordsOfNew(copy);
    const copyBase = this.file.base(copy);
    copyWords.set(words.subarray(base, base + PAGE_WORDS), copyBase);
    copyWords[copyBase + WORD_NUMBER] = copy;
    setBirth(copyWords, copyBase, this.#epoch);
    if (references.count(page) > 1) this.#shareChildren(copyWords, copyBase);
    this.release(page);
    return copy;
  }

  #shareChildren(words: Uint32Array, base: number): void {
    if (levelOf(words, base) === 0) {
      this.onLeafShared(words, base);
      return;
    }
    const end = branchSlot(base, countOf(words, base));
    for (let slot = branchSlot(base, 0); slot < end; slot += BRANCH_SLOT_WORDS) {
      this.#references.increment(asPageNumber(words[slot + KEY_WORDS]));
    }
  }

  /** Adds a reference to a page: another root or branch points to it from now on. */
  share(page: PageNumber): void {
    this.#references.increment(page);
  }

  /** Gives up one reference to a page whose children, if it has any, have found other parents. */
  release(page: PageNumber): void {
    this.layout++;
    const old = this.file.birth(page) < this.#epoch;
    if (this.#references.decrement(page, old) === 0 && old) this.#freed.push(page);
  }

  /** Ends the epoch: what it made is immutable from here on. The next epoch begins at once. */
  beginCheckpoint(): PageCheckpoint {
    const epoch = this.#epoch;
    const checkpoint = { epoch, born: this.#born, freed: this.#freed, references: this.#references.image(epoch) };
    this.#born = [];
    this.#freed = [];
    this.#epoch = asEpoch(epoch + 1);
    return checkpoint;
  }

  /** Writes a checkpoint's pages and counts, and makes them durable. */
  async writeCheckpoint(checkpoint: PageCheckpoint): Promise<void> {
    for (let at = 0; at < checkpoint.born.length; at += PAGES_SEALED_AT_ONCE) {
      this.file.seal(checkpoint.born.slice(at, at + PAGES_SEALED_AT_ONCE));
      await setImmediate();
    }
    await this.file.sync();
    await writeReferences(this.#disk, checkpoint.references);
  }

  /** The checkpoint's superblock is durable: pages that it does not reach may be used again. */
  finishCheckpoint(checkpoint: PageCheckpoint): void {
    this.#durableEpoch = checkpoint.epoch;
    this.#references.release(checkpoint.freed);
  }

  close(): void {
    this.file.close();
  }
}
