/**
 * Which inode each blob belongs to. Blob numbers lie close together: 8 bytes for each number of a range that has any.
 */

import { SparseSet } from './sparse-set.js';

/** Numbers in one piece, of 8 KiB. */
const PIECE_NUMBERS = 1024;

export class BlobOwners {
  readonly #pieces = new Map<number, Float64Array>();

  /** The inode that a blob belongs to; 0 for none. */
  of(blob: number): number {
    return this.#pieces.get(Math.floor(blob / PIECE_NUMBERS))?.[blob % PIECE_NUMBERS] ?? 0;
  }

  /** Gives a blob to an inode if it has none. Returns the one that it belongs to. */
  claim(blob: number, ino: number): number {
    const index = Math.floor(blob / PIECE_NUMBERS);
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Float64Array(PIECE_NUMBERS);
      this.#pieces.set(index, piece);
    }
    const within = blob % PIECE_NUMBERS;
    if (piece[within] === 0) piece[within] = ino;
    return piece[within];
  }
}

/** What a repair knows of blobs while it goes over the trees that it builds anew, one after the other. */
export class BlobLedger {
  /** Which inode each belongs to, as the check has found it. */
  readonly owners: BlobOwners;
  /** Those that files of the new trees have. */
  readonly used = new SparseSet();
  /** Those that the old trees name: their data is not given up, even if no file has it any more. */
  readonly named = new SparseSet();

  constructor(owners: BlobOwners) {
    this.owners = owners;
  }
}
