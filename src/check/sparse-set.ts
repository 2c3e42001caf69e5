/**
 * A set of numbers that lie close together, as addresses and blob numbers do: one bit for each number of a range that has any.
 */

/** Numbers in one piece, of 8 KiB. */
const PIECE_NUMBERS = 65_536;

export class SparseSet {
  readonly #pieces = new Map<number, Uint8Array>();

  /** Adds a number. Returns whether it was new. */
  add(number: number): boolean {
    const index = Math.floor(number / PIECE_NUMBERS);
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Uint8Array(PIECE_NUMBERS / 8);
      this.#pieces.set(index, piece);
    }
    const within = number % PIECE_NUMBERS;
    const bit = 1 << (within & 7);
    if ((piece[within >>> 3] & bit) !== 0) return false;
    piece[within >>> 3] |= bit;
    return true;
  }

  has(number: number): boolean {
    const within = number % PIECE_NUMBERS;
    const piece = this.#pieces.get(Math.floor(number / PIECE_NUMBERS));
    return piece !== undefined && (piece[within >>> 3] & (1 << (within & 7))) !== 0;
  }
}
