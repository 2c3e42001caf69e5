/**
 * Reads tree pages for checking: with pread, so that a failing disk is a finding and a file that is too short no SIGBUS.
 *
 * Relies on the page format (tree/page.ts) only, and checks more of it than serving does.
 */
import { isCrc32cPageValid } from '../native/addon.js';
import { type Disk, DiskError, type DiskFile } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { joinWords, KEY_WORDS } from '../tree/key.js';
import {
  birthOf,
  branchSlot,
  countOf,
  HEADER_BYTES,
  LEAF_SLOT_BYTES,
  leafSlot,
  levelOf,
  PAGE_CHECKSUM_BYTE,
  PAGE_WORDS,
  padded,
  pageProblem,
} from '../tree/page.js';
import { nodesSegmentName } from '../tree/page-file.js';

/** A page in memory. What it says may be used only after `PageReader.read` has found no problem. */
export class Page {
  readonly words = new Uint32Array(PAGE_WORDS);
  readonly bytes = new Uint8Array(this.words.buffer);
  number = 0;

  get level(): number {
    return levelOf(this.words, 0);
  }
  get count(): number {
    return countOf(this.words, 0);
  }
  get birth(): number {
    return birthOf(this.words, 0);
  }

  /** Word index of the key of a slot. */
  keyWord(index: number): number {
    return this.level === 0 ? leafSlot(0, index) : branchSlot(0, index);
  }

  // ── Items of a leaf ──────────────────────────────────────────────────────────────────────────────────────────────────

  object(index: number): number {
    const slot = leafSlot(0, index);
    return joinWords(this.words[slot], this.words[slot + 1]);
  }
  kind(index: number): number {
    return this.words[leafSlot(0, index) + 2] >>> 24;
  }
  minor(index: number): number {
    const slot = leafSlot(0, index);
    return joinWords(this.words[slot + 2] & 0xff_ffff, this.words[slot + 3]);
  }
  /** Word index of an item's value. */
  valueWord(index: number): number {
    return (this.words[leafSlot(0, index) + KEY_WORDS] & 0xffff) >>> 2;
  }
  valueLength(index: number): number {
    return this.words[leafSlot(0, index) + KEY_WORDS] >>> 16;
  }
}

/** Compares keys of four words each, as memcmp does. */
export function compareKeys(a: Uint32Array, at: number, b: Uint32Array, bt: number): number {
  for (let i = 0; i < KEY_WORDS; i++) {
    if (a[at + i] !== b[bt + i]) return a[at + i] < b[bt + i] ? -1 : 1;
  }
  return 0;
}

/** Whether values of a leaf lie over each other or over the slots. */
function overlapProblem(page: Page): string | undefined {
  const taken = new Uint8Array(PAGE_SIZE / 4);
  taken.fill(1, 0, (HEADER_BYTES + page.count * LEAF_SLOT_BYTES) / 4);
  for (let index = 0; index < page.count; index++) {
    const first = page.valueWord(index);
    const last = first + padded(page.valueLength(index)) / 4;
    for (let word = first; word < last; word++) {
      if (taken[word] !== 0) return `the value of slot ${index} lies over another`;
      taken[word] = 1;
    }
  }
  return undefined;
}

export class PageReader {
  readonly #disk: Disk;
  readonly #segmentPages: number;
  /** Pages that the superblock counts. */
  readonly #pagesCounted: number;
  /** One more than the last page that there can be. */
  readonly capacity: number;
  readonly #files = new Map<number, DiskFile | string>();
  /** Pages that were found to be in order: the next time only the checksum is looked at. */
  readonly #verified: Uint8Array;
  /** Reads that the host refused: its disk may be failing. */
  failures = 0;

  /** `pagesCounted`: pages that the superblock counts; higher numbers are not read. */
  constructor(disk: Disk, segmentBytes: number, pagesCounted: number) {
    this.#disk = disk;
    this.#segmentPages = segmentBytes / PAGE_SIZE;
    this.#pagesCounted = pagesCounted;
    this.capacity = Math.max(1, Math.min(pagesCounted, this.#pagesOnDisk()));
    this.#verified = new Uint8Array(this.capacity);
  }

  /** What the superblock counts is not believed: memory is needed for each page. */
  #pagesOnDisk(): number {
    const matches = this.#disk.list('').map((name) => /^nodes(?:\.([1-9]\d*))?\.dat$/.exec(name));
    const indexes = matches.flatMap((match) => (match === null ? [] : [Number(match[1] ?? 0)]));
    let pages = 0;
    for (const index of indexes) {
      // Some segments may be missing. One that has a number far beyond how many there are is not of this store.
      if (index >= 2 * indexes.length) continue;
      const file = this.#file(index);
      const size = typeof file === 'string' ? 0 : file.size();
      const inFile = Math.min(this.#segmentPages, Math.floor(size / PAGE_SIZE));
      if (inFile > 0) pages = Math.max(pages, index * this.#segmentPages + inFile);
    }
    return pages;
  }

  /** The file of a segment, or why there is none. */
  #file(index: number): DiskFile | string {
    let file = this.#files.get(index);
    if (file === undefined) {
      const name = nodesSegmentName(index);
      try {
        file = this.#disk.open(name, 'read');
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.code !== 'ENOENT') this.failures++;
        file = error.code === 'ENOENT' ? `${name} is missing` : `${name} cannot be opened (${error.code})`;
      }
      this.#files.set(index, file);
    }
    return file;
  }

  /** Problems of the files as a whole: missing, or shorter than the superblock says. */
  *fileProblems(): Generator<{ readonly name: string; readonly problem: string }> {
    for (let index = 0; index * this.#segmentPages < this.#pagesCounted; index++) {
      const name = nodesSegmentName(index);
      const file = this.#file(index);
      const bytes = Math.min(this.#segmentPages, this.#pagesCounted - index * this.#segmentPages) * PAGE_SIZE;
      if (typeof file === 'string') {
        yield { name, problem: file.slice(name.length + 1) };
        // All that follow are missing as well.
        if (index * this.#segmentPages >= this.capacity) return;
      } else if (file.size() < bytes) {
        yield { name, problem: `${file.size()} bytes long, but the superblock counts ${bytes} bytes of pages in it` };
      }
    }
  }

  /** Reads a page into `into` and checks it by itself. Returns what is wrong with it, or undefined. */
  read(number: number, into: Page): string | undefined {
    into.number = number;
    if (number === 0 || number >= this.capacity) return `outside of the ${this.capacity} pages of the store`;
    const file = this.#file(Math.floor(number / this.#segmentPages));
    if (typeof file === 'string') return file;
    try {
      const length = file.read(into.bytes, 0, PAGE_SIZE, (number % this.#segmentPages) * PAGE_SIZE);
      if (length < PAGE_SIZE) return 'beyond the end of its file';
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.failures++;
      return `cannot be read (${error.code})`;
    }
    if (!isCrc32cPageValid(into.bytes, 0, PAGE_CHECKSUM_BYTE)) return 'checksum does not match';
    if (this.#verified[number] === 1) return undefined;
    const problem = pageProblem(into.words, 0, number) ?? (into.level === 0 ? overlapProblem(into) : undefined);
    if (problem === undefined) this.#verified[number] = 1;
    return problem;
  }

  close(): void {
    for (const file of this.#files.values()) if (typeof file !== 'string') file.close();
  }
}
