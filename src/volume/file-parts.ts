/**
 * Files that share data with a snapshot: their PART items, which say what chunks are in other blobs than the file's own.
 *
 * A blob that more than one leaf points to is never written. The first change after a snapshot gives the file a new blob of its
 * own, and PART items for all that it has in the old one. A chunk is taken over into the own blob before it is changed, so that a
 * file costs what changed since the snapshot. Each chunk is at its own offset in whatever blob it is.
 *
 * INVARIANTS:
 * - Parts do not overlap, and none reaches beyond the chunk that holds the last byte of the file.
 * - The bytes of a part up to the file's end are what the file has there; where its blob is shorter, they are zeros.
 */
import { asBlobId, type BlobId, type Ino } from '../store/units.js';
import { type Inode, STORAGE_PARTS } from './inode.js';
import { CHUNK_BYTES, KIND_PART, PART_BYTES, readU64, writeU64 } from './items.js';
import type { VolumeState } from './state.js';

/** Chunks that begin before a byte position. */
export const chunksTo = (position: number): number => Math.ceil(position / CHUNK_BYTES);
export const chunkOf = (position: number): number => Math.floor(position / CHUNK_BYTES);

/** Chunks `first` to `end` - 1 of a file, in `blob`. */
export interface Part {
  readonly blob: BlobId;
  readonly first: number;
  readonly end: number;
}

/** Bytes `from` to `to` - 1 of a file, at the same place in a blob; where the blob is shorter they are zeros. */
export interface FileRange {
  readonly blob: BlobId;
  readonly from: number;
  readonly to: number;
}

export class FileParts {
  readonly #state: VolumeState;

  constructor(state: VolumeState) {
    this.#state = state;
  }

  /** The parts of a file that have chunks from `first` to `end` - 1, in order. */
  within(ino: Ino, first: number, end: number): Part[] {
    const { tree } = this.#state;
    const parts: Part[] = [];
    for (let more = tree.seek(ino, KIND_PART, first); more && tree.isAt(ino, KIND_PART); more = tree.next()) {
      const { words, valueWord: at, minor: last } = tree;
      const part = { blob: asBlobId(readU64(words, at)), first: last + 1 - words[at + 2], end: last + 1 };
      if (part.first >= end) break;
      parts.push(part);
    }
    return parts;
  }

  all(ino: Ino): Part[] {
    return this.within(ino, 0, Number.POSITIVE_INFINITY);
  }

  /** Where a range of a file that has a blob is, in order. */
  ranges(inode: Inode, from: number, to: number): FileRange[] {
    if (inode.storage !== STORAGE_PARTS) return [{ blob: inode.blob, from, to }];
    const ranges: FileRange[] = [];
    let at = from;
    for (const part of this.within(inode.ino, chunkOf(from), chunksTo(to))) {
      const [start, end] = [Math.max(from, part.first * CHUNK_BYTES), Math.min(to, part.end * CHUNK_BYTES)];
      if (start > at) ranges.push({ blob: inode.blob, from: at, to: start });
      ranges.push({ blob: part.blob, from: start, to: end });
      at = end;
    }
    if (at < to) ranges.push({ blob: inode.blob, from: at, to });
    return ranges;
  }

  #insert(ino: Ino, { blob, first, end }: Part): void {
    const { tree } = this.#state;
    tree.insert(ino, KIND_PART, end - 1, PART_BYTES);
    writeU64(tree.words, tree.valueWord, blob);
    tree.words[tree.valueWord + 2] = end - first;
  }

  /** Makes parts of all that a file has in its own blob, which it then has no more. */
  branch(inode: Inode): void {
    const { store } = this.#state;
    const { ino, blob } = inode;
    const end = chunksTo(inode.size);
    let made = 0;
    let from = 0;
    for (const part of [...this.all(ino), { first: end, end }]) {
      if (part.first > from) {
        this.#insert(ino, { blob, first: from, end: part.first });
        // The inode's own reference becomes that of the first part.
        if (made++ > 0) store.references.add('blob', blob);
      }
      from = part.end;
    }
    if (made === 0) store.releaseBlob(blob);
  }

  /** The file has chunks `first` to `end` - 1 in its own blob from now on, or not at all. */
  remove(ino: Ino, first: number, end: number): void {
    const { tree, store } = this.#state;
    for (const part of this.within(ino, first, end)) {
      tree.remove(ino, KIND_PART, part.end - 1);
      const left = { ...part, end: first };
      const right = { ...part, first: end };
      const kept = [left, right].filter((piece) => piece.first < piece.end);
      for (const piece of kept) this.#insert(ino, piece);
      if (kept.length === 0) store.releaseBlob(part.blob);
      else if (kept.length === 2) store.references.add('blob', part.blob);
    }
  }

  /** Whether a file has no parts. */
  isEmpty(ino: Ino): boolean {
    const { tree } = this.#state;
    return !tree.seek(ino, KIND_PART, 0) || !tree.isAt(ino, KIND_PART);
  }
}
