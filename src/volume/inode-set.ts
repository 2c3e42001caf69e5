/**
 * A set of inode numbers: a bit for each, in chunks, since inodes that belong together have numbers close to each other.
 */
import { asIno, type Ino } from '../store/units.js';

const CHUNK_INODES = 1 << 16;
const CHUNK_WORDS = CHUNK_INODES / 32;

export class InodeSet {
  readonly #chunks = new Map<number, Uint32Array>();
  /** The chunk looked at last. */
  #chunkNumber = -1;
  #chunk: Uint32Array | undefined;

  #find(ino: Ino): Uint32Array | undefined {
    const number = Math.floor(ino / CHUNK_INODES);
    if (number !== this.#chunkNumber) {
      this.#chunkNumber = number;
      this.#chunk = this.#chunks.get(number);
    }
    return this.#chunk;
  }

  has(ino: Ino): boolean {
    const chunk = this.#find(ino);
    const bit = ino % CHUNK_INODES;
    return chunk !== undefined && (chunk[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  add(ino: Ino): this {
    let chunk = this.#find(ino);
    if (chunk === undefined) {
      chunk = new Uint32Array(CHUNK_WORDS);
      this.#chunks.set(this.#chunkNumber, chunk);
      this.#chunk = chunk;
    }
    const bit = ino % CHUNK_INODES;
    chunk[bit >>> 5] |= 1 << (bit & 31);
    return this;
  }

  /** All of them, in ascending order. */
  *[Symbol.iterator](): Generator<Ino, void, undefined> {
    for (const [number, chunk] of [...this.#chunks].sort(([a], [b]) => a - b)) {
      for (let word = 0; word < CHUNK_WORDS; word++) {
        const bits = chunk[word];
        for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit++) {
          if ((bits & (1 << bit)) !== 0) yield asIno(number * CHUNK_INODES + word * 32 + bit);
        }
      }
    }
  }
}
