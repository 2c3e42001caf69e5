/**
 * Page reference counts: how many parents (branch pages and roots) point to each page of nodes.dat.
 *
 * On disk two copies, refs.a for even epochs and refs.b for odd ones, written in turn at a checkpoint, so that a crash
 * meanwhile leaves the other one whole. Each is an array of 4 KiB blocks:
 *
 *   byte  size  field
 *      0     4  crc32c of the block, with this field taken as zero
 *      4     4  number of this block
 *      8     8  epoch in which the block was written
 *     16  4080  1,020 counts of 4 bytes, for pages 1020 × block and up; 0 is a free page
 *
 * In memory the counts of all pages are kept (4 bytes for each 4 KiB on disk). A page whose count fell to zero but which the
 * last durable checkpoint still reaches has the count `PENDING` in memory: it is free for the next checkpoint, but must not be
 * written before that one is durable.
 */
import { CorruptionError } from '../errors/corruption.js';
import { crc32cPages, isCrc32cPageValid } from '../native/addon.js';
import type { Disk } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import type { Epoch, PageNumber } from '../store/units.js';

export const REFERENCES_PER_BLOCK = 1020;
export const REFERENCE_BLOCK_HEADER_WORDS = 4;
const BLOCK_WORDS = PAGE_SIZE / 4;
export const PENDING = 0xffff_ffff;

/** The file that holds the counts of a checkpoint. */
export const referencesName = (epoch: Epoch): string => (epoch % 2 === 0 ? 'refs.a' : 'refs.b');

/** Blocks of a checkpoint, ready to be written: the counts as they were when it began. */
export interface ReferenceImage {
  readonly epoch: Epoch;
  readonly blockCount: number;
  readonly blocks: ReadonlyMap<number, Uint8Array>;
}

export class References {
  #counts: Uint32Array;
  #capacity = 0;
  #free = 0;
  /** Where the search for a free page goes on. */
  #next = 1;
  /** Blocks changed in this epoch, and in the one before (whose changes the other file has not seen yet). */
  #changed = new Set<number>();
  #changedBefore = new Set<number>();

  constructor(capacity: number) {
    this.#counts = new Uint32Array(Math.max(1024, capacity));
    this.#counts[0] = 1;
    this.#capacity = 1;
    this.extend(capacity);
    this.#changed.clear();
  }

  /** Reads the counts of a checkpoint. */
  static load(disk: Disk, epoch: Epoch, capacity: number): References {
    const name = referencesName(epoch);
    const blockCount = Math.ceil(capacity / REFERENCES_PER_BLOCK);
    const bytes = readBeginning(disk, name, blockCount * PAGE_SIZE);
    const references = new References(capacity);
    const words = new Uint32Array(bytes.buffer);
    for (let block = 0; block < blockCount; block++) {
      const base = block * BLOCK_WORDS;
      if (!isCrc32cPageValid(bytes, block, 0))
        throw new CorruptionError(`${name} block ${block}`, 'checksum does not match');
      const blockEpoch = words[base + 3] * 0x1_0000_0000 + words[base + 2];
      if (words[base + 1] !== block || blockEpoch > epoch) {
        throw new CorruptionError(
          `${name} block ${block}`,
          `written as block ${words[base + 1]} of epoch ${blockEpoch}`,
        );
      }
      references.#take(block, words.subarray(base + REFERENCE_BLOCK_HEADER_WORDS, base + BLOCK_WORDS));
      references.#changedBefore.add(block);
    }
    references.#changed.clear();
    return references;
  }

  #take(block: number, counts: Uint32Array): void {
    const first = block * REFERENCES_PER_BLOCK;
    for (let page = Math.max(1, first); page < Math.min(this.#capacity, first + REFERENCES_PER_BLOCK); page++) {
      const count = counts[page - first];
      if (count !== 0) this.#free--;
      this.#counts[page] = count;
    }
  }

  /** Pages that can be allocated now. */
  get free(): number {
    return this.#free;
  }

  /** The count of a page; PENDING counts as 0. */
  count(page: PageNumber): number {
    const count = this.#counts[page];
    return count === PENDING ? 0 : count;
  }

  /** Adds the pages up to `capacity`, all free. */
  extend(capacity: number): void {
    if (capacity > this.#counts.length) {
      const larger = new Uint32Array(Math.max(capacity, this.#counts.length * 2));
      larger.set(this.#counts);
      this.#counts = larger;
    }
    for (let block = this.#blockOf(this.#capacity); block <= this.#blockOf(capacity - 1); block++)
      this.#changed.add(block);
    this.#free += capacity - this.#capacity;
    this.#next = this.#capacity;
    this.#capacity = capacity;
  }

  #blockOf(page: number): number {
    return Math.floor(page / REFERENCES_PER_BLOCK);
  }

  /** Takes a free page and gives it the count 1. There must be one (`free`). */
  allocate(): PageNumber {
    if (this.#free === 0) throw new RangeError('no page is free: too few were reserved');
    const counts = this.#counts;
    let page = this.#next;
    for (;;) {
      if (page >= this.#capacity) page = 1;
      if (counts[page] === 0) break;
      page++;
    }
    this.#next = page + 1;
    this.#free--;
    counts[page] = 1;
    this.#changed.add(this.#blockOf(page));
    return page as PageNumber;
  }

  increment(page: PageNumber): void {
    const count = this.#counts[page];
    if (count === 0 || count === PENDING) throw new CorruptionError(`page ${page}`, 'in use, but counted as free');
    this.#counts[page] = count + 1;
    this.#changed.add(this.#blockOf(page));
  }

  /** Lowers the count and returns it. At 0 the page becomes free, or pending when the last checkpoint may reach it. */
  decrement(page: PageNumber, reachableFromCheckpoint: boolean): number {
    const count = this.#counts[page];
    if (count === 0 || count === PENDING) throw new CorruptionError(`page ${page}`, 'freed twice');
    this.#changed.add(this.#blockOf(page));
    if (count > 1) {
      this.#counts[page] = count - 1;
    } else if (reachableFromCheckpoint) {
      this.#counts[page] = PENDING;
    } else {
      this.#counts[page] = 0;
      this.#free++;
    }
    return count - 1;
  }

  /** The checkpoint that no longer reaches these pages is durable: they may be written again. */
  release(pages: readonly PageNumber[]): void {
    for (const page of pages) this.#counts[page] = 0;
    this.#free += pages.length;
  }

  /** Copies the blocks that the file of this epoch lacks; later changes belong to the next epoch. */
  image(epoch: Epoch): ReferenceImage {
    const blocks = new Map<number, Uint8Array>();
    for (const block of new Set([...this.#changed, ...this.#changedBefore])) {
      const words = new Uint32Array(BLOCK_WORDS);
      words[1] = block;
      words[2] = epoch >>> 0;
      words[3] = Math.floor(epoch / 0x1_0000_0000);
      const first = block * REFERENCES_PER_BLOCK;
      const last = Math.min(this.#capacity, first + REFERENCES_PER_BLOCK);
      for (let page = first; page < last; page++) {
        const count = this.#counts[page];
        words[REFERENCE_BLOCK_HEADER_WORDS + page - first] = count === PENDING ? 0 : count;
      }
      const bytes = new Uint8Array(words.buffer);
      crc32cPages(bytes, new Uint32Array([0]), 1, 0);
      blocks.set(block, bytes);
    }
    this.#changedBefore = this.#changed;
    this.#changed = new Set();
    return { epoch, blockCount: this.#blockOf(this.#capacity - 1) + 1, blocks };
  }
}

/** The first `length` bytes of a file, for which there is memory only when the file has as many. */
function readBeginning(disk: Disk, name: string, length: number): Uint8Array {
  const file = disk.open(name, 'read');
  try {
    const size = file.size();
    if (size < length) throw new CorruptionError(name, `${size} bytes long, ${length} are needed`);
    const bytes = new Uint8Array(length);
    file.read(bytes, 0, length, 0);
    return bytes;
  } finally {
    file.close();
  }
}

/** Writes an image to its file and makes it durable. */
export async function writeReferences(disk: Disk, image: ReferenceImage): Promise<void> {
  const name = referencesName(image.epoch);
  const isNew = !disk.exists(name);
  const file = disk.open(name, isNew ? 'create' : 'write');
  if (isNew) disk.syncDirectory('');
  try {
    if (file.size() < image.blockCount * PAGE_SIZE) file.allocate(0, image.blockCount * PAGE_SIZE);
    for (const [block, bytes] of image.blocks) file.write(bytes, 0, PAGE_SIZE, block * PAGE_SIZE);
    await file.sync();
  } finally {
    file.close();
  }
}
