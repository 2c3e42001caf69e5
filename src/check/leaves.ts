/**
 * The leaves of a tree that can be read, in key order, and the items in them: 4 bytes for each leaf, read again when needed.
 */
import { highWord, keyWord2, lowWord } from '../tree/key.js';
import { compareKeys, Page, type PageReader } from './page-reader.js';

export class Leaves {
  readonly #reader: PageReader;
  #pages = new Uint32Array(1024);
  #length = 0;

  constructor(reader: PageReader) {
    this.#reader = reader;
  }

  get length(): number {
    return this.#length;
  }

  add(page: number): void {
    if (this.#length === this.#pages.length) {
      const larger = new Uint32Array(this.#length * 2);
      larger.set(this.#pages);
      this.#pages = larger;
    }
    this.#pages[this.#length++] = page;
  }

  page(index: number): number {
    return this.#pages[index];
  }

  /** The same leaves through another reader. */
  through(reader: PageReader): Leaves {
    const leaves = new Leaves(reader);
    leaves.#pages = this.#pages;
    leaves.#length = this.#length;
    return leaves;
  }

  /** Reads a leaf that was right before; false if it is not any more, as on a disk that is failing. */
  read(index: number, into: Page): boolean {
    return this.#reader.read(this.#pages[index], into) === undefined;
  }

  /**
   * The items of an object and kind from a minor key on, as (page, slot). The page is valid until the next one is asked for.
   * The leaves must not overlap.
   */
  *items(object: number, kind: number, minor: number): Generator<{ readonly page: Page; readonly slot: number }> {
    const key = Uint32Array.of(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor));
    const page = new Page();
    for (let index = this.#leafBefore(key, page); index < this.#length; index++) {
      if (!this.read(index, page)) continue;
      for (let slot = 0; slot < page.count; slot++) {
        if (compareKeys(page.words, page.keyWord(slot), key, 0) < 0) continue;
        if (page.object(slot) !== object || page.kind(slot) !== kind) return;
        yield { page, slot };
      }
    }
  }

  /** The last leaf that does not begin after a key. */
  #leafBefore(key: Uint32Array, page: Page): number {
    let low = 0;
    let high = this.#length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const isAfter = this.read(middle, page) && page.count > 0 && compareKeys(page.words, page.keyWord(0), key, 0) > 0;
      if (isAfter) high = middle - 1;
      else low = middle;
    }
    return Math.max(0, low);
  }
}
