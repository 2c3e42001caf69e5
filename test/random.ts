/**
 * Random numbers from a seed that the test prints, so that a failure can be replayed: set RAZORFS_SEED to the number printed.
 */
import { randomInt } from 'node:crypto';
import type { Test } from 'tap';

/** mulberry32: small, fast, and good enough to choose operations. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /**
   * A generator with a fresh seed, or the one in RAZORFS_SEED, announced as a comment of the test, and on the error output as well:
   * that is written at once, and is there when the process dies.
   */
  static announced(test: Test): Random {
    const seed = Number(process.env.RAZORFS_SEED ?? randomInt(0x7fff_ffff));
    test.comment(`seed ${seed}`);
    process.stderr.write(`${test.name}: seed ${seed}\n`);
    return new Random(seed);
  }

  /** A whole number from 0 to below `limit`, which is at most 2^32. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }
}
