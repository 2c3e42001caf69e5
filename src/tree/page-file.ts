/**
 * nodes.dat: the pages of the tree, in shared mappings of whole segment files.
 *
 * Invariants:
 * - Only pages below `capacity` are touched: their space is allocated (fallocate) before, so that a full disk is an error
 *   here and never a SIGBUS.
 * - A page that comes from the disk is checked (checksum, then structure) before anyone sees its words.
 */
import { CorruptionError } from '../errors/corruption.js';
import { crc32cPages, isCrc32cPageValid } from '../native/addon.js';
import type { Disk, DiskFile } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { birthOf, PAGE_CHECKSUM_BYTE, PAGE_WORDS, pageProblem } from './page.js';

/** The smallest and the largest step in which the file grows, in pages. */
const GROWTH_PAGES_MIN = 256;
const GROWTH_PAGES_MAX = 16_384;

interface Segment {
  readonly file: DiskFile;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** The name of segment `index` of nodes.dat. */
export const nodesSegmentName = (index: number): string => (index === 0 ? 'nodes.dat' : `nodes.${index}.dat`);

export class PageFile {
  readonly #disk: Disk;
  readonly #segmentPages: number;
  readonly #segmentShift: number;
  readonly #segments: Segment[] = [];
  /** One bit a page: known to be valid, or made by this process. */
  #checked: Uint8Array;
  /** Pages that have space on the disk; page numbers are below it. */
  #capacity: number;

  private constructor(disk: Disk, segmentBytes: number, capacity: number) {
    this.#disk = disk;
    this.#segmentPages = segmentBytes / PAGE_SIZE;
    this.#segmentShift = Math.log2(this.#segmentPages);
    this.#capacity = capacity;
    this.#checked = new Uint8Array(Math.max(1024, (capacity >>> 3) + 1));
  }

  /** Makes the first segment of a new store. */
  static create(disk: Disk, segmentBytes: number): void {
    const file = disk.open(nodesSegmentName(0), 'create');
    file.allocate(0, Math.min(segmentBytes, GROWTH_PAGES_MIN * PAGE_SIZE));
    file.syncNow();
    file.close();
  }

  /** Opens the file of a store whose superblock says that it has `capacity` pages, read-only or not. */
  static open(disk: Disk, segmentBytes: number, capacity: number, readOnly: boolean): PageFile {
    const segmentPages = segmentBytes / PAGE_SIZE;
    const files: DiskFile[] = [];
    for (let first = 0; first < capacity; first += segmentPages) {
      const name = nodesSegmentName(files.length);
      const file = disk.open(name, readOnly ? 'read' : 'write');
      const pages = Math.min(segmentPages, capacity - first);
      if (file.size() < pages * PAGE_SIZE) {
        throw new CorruptionError(name, `${file.size()} bytes long, but the superblock counts ${pages} pages in it`);
      }
      files.push(file);
    }
    // Only now is the capacity believed: memory is needed for each page.
    const pageFile = new PageFile(disk, segmentBytes, capacity);
    for (const file of files) pageFile.#map(file, segmentBytes);
    return pageFile;
  }

  #map(file: DiskFile, length: number): void {
    const bytes = file.map(length);
    this.#segments.push({ file, bytes, words: new Uint32Array(bytes.buffer, bytes.byteOffset, length / 4) });
  }

  /** One more than the highest page number. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Bytes on disk. */
  get byteLength(): number {
    return this.#capacity * PAGE_SIZE;
  }

  /** Allocates space for more pages and returns how many were added. Throws DiskError (ENOSPC) and changes nothing. */
  grow(): number {
    const wanted = Math.min(GROWTH_PAGES_MAX, Math.max(GROWTH_PAGES_MIN, this.#capacity >>> 3));
    const within = this.#capacity & (this.#segmentPages - 1);
    const index = this.#capacity >>> this.#segmentShift;
    const added = Math.min(wanted, this.#segmentPages - within);
    if (within === 0 && index === this.#segments.length) {
      const name = nodesSegmentName(index);
      const file = this.#disk.open(name, 'create');
      try {
        file.allocate(0, added * PAGE_SIZE);
      } catch (error) {
        file.close();
        this.#disk.remove(name);
        throw error;
      }
      this.#disk.syncDirectory('');
      this.#map(file, this.#segmentPages * PAGE_SIZE);
    } else {
      this.#segments[index].file.allocate(within * PAGE_SIZE, added * PAGE_SIZE);
    }
    this.#capacity += added;
    if (this.#capacity >>> 3 >= this.#checked.length) {
      const larger = new Uint8Array(this.#checked.length * 2);
      larger.set(this.#checked);
      this.#checked = larger;
    }
    return added;
  }

  /** The words of the segment that holds the page; throws CorruptionError when the page is damaged or not there. */
  words(page: PageNumber): Uint32Array {
    if (((this.#checked[page >>> 3] >>> (page & 7)) & 1) === 0 || page >= this.#capacity) this.#check(page);
    return this.#segments[page >>> this.#segmentShift].words;
  }

  /** The bytes of the segment that holds a page which `words` has returned before. */
  bytes(page: PageNumber): Uint8Array {
    return this.#segments[page >>> this.#segmentShift].bytes;
  }

  /** Index of the page's first word in its segment. */
  base(page: PageNumber): number {
    return (page & (this.#segmentPages - 1)) * PAGE_WORDS;
  }

  /** The words of a page about to be written from scratch, whose old content does not matter. */
  wordsOfNew(page: PageNumber): Uint32Array {
    this.#checked[page >>> 3] |= 1 << (page & 7);
    return this.#segments[page >>> this.#segmentShift].words;
  }

  #check(page: PageNumber): void {
    if (page === 0 || page >= this.#capacity) {
      throw new CorruptionError(`page ${page}`, `outside nodes.dat, which has ${this.#capacity} pages`);
    }
    const problem = this.verify(page);
    if (problem !== undefined) throw new CorruptionError(`page ${page}`, problem);
    this.#checked[page >>> 3] |= 1 << (page & 7);
  }

  /** Checks a sealed page as it is on disk, whether or not it has been checked before; undefined when it is valid. */
  verify(page: PageNumber): string | undefined {
    const { bytes, words } = this.#segments[page >>> this.#segmentShift];
    if (!isCrc32cPageValid(bytes, page & (this.#segmentPages - 1), PAGE_CHECKSUM_BYTE))
      return 'checksum does not match';
    return pageProblem(words, this.base(page), page);
  }

  birth(page: PageNumber): number {
    return birthOf(this.words(page), this.base(page));
  }

  /** Writes the checksums of pages that will not change any more. */
  seal(pages: readonly PageNumber[]): void {
    const bySegment = new Map<number, number[]>();
    for (const page of pages) {
      const index = page >>> this.#segmentShift;
      const list = bySegment.get(index);
      const local = page & (this.#segmentPages - 1);
      if (list === undefined) bySegment.set(index, [local]);
      else list.push(local);
    }
    for (const [index, locals] of bySegment) {
      crc32cPages(this.#segments[index].bytes, Uint32Array.from(locals), locals.length, PAGE_CHECKSUM_BYTE);
    }
  }

  /** Makes all pages durable. */
  async sync(): Promise<void> {
    await Promise.all(this.#segments.map((segment) => segment.file.sync()));
  }

  close(): void {
    for (const segment of this.#segments) segment.file.close();
  }
}

export const FIRST_PAGE = asPageNumber(1);
