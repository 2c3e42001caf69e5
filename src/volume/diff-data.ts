/**
 * What may be different in the data of two states of a file, by where it is kept, and whether its bytes are.
 *
 * Data that is shared is the same without being looked at: blobs and extents that two trees have are never written (file-parts.ts).
 */
import { setImmediate } from 'node:timers/promises';
import { asAddress, type BlobId } from '../store/units.js';
import { FileParts } from './file-parts.js';
import { hasBlob, type Inode, STORAGE_PACK } from './inode.js';
import { KIND_EXTENT, readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** Bytes compared at once. */
const STEP_BYTES = 256 * 1024;

/** A regular file in one tree. */
export interface FileState {
  readonly state: VolumeState;
  readonly inode: Inode;
}

/** Bytes `from` to `to` - 1 of a file. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** Where a stretch of a file is: in one blob each, or, undefined, in an extent or nowhere. */
interface Stretch extends ByteRange {
  readonly before: BlobId | undefined;
  readonly after: BlobId | undefined;
}

function extentAddress({ state, inode }: FileState): number {
  const { tree } = state;
  if (inode.storage !== STORAGE_PACK || !tree.find(inode.ino, KIND_EXTENT, 0)) return 0;
  return readU64(tree.words, tree.valueWord);
}

/** The stretches within the first `end` bytes that are not in the same place. */
function* stretches(before: FileState, after: FileState, end: number): Generator<Stretch, void, undefined> {
  if (end === 0) return;
  const ranges = [before, after].map(({ state, inode }) =>
    hasBlob(inode.storage) ? new FileParts(state).ranges(inode, 0, end) : [{ blob: undefined, from: 0, to: end }],
  );
  if (!hasBlob(before.inode.storage) && !hasBlob(after.inode.storage)) {
    if (extentAddress(before) === extentAddress(after)) return;
  }
  const [left, right] = ranges;
  let [i, j] = [0, 0];
  for (let from = 0; from < end; ) {
    const to = Math.min(left[i].to, right[j].to);
    const [a, b] = [left[i].blob, right[j].blob];
    if (a === undefined || b === undefined || a !== b) yield { from, to, before: a, after: b };
    if (left[i].to === to) i++;
    if (right[j].to === to) j++;
    from = to;
  }
}

/**
 * The ranges of a file's later state that are not known to be the same as in the earlier one, in order. They reach to the later size.
 */
export function* changedRanges(before: FileState, after: FileState): Generator<ByteRange, void, undefined> {
  const common = Math.min(before.inode.size, after.inode.size);
  let pending: ByteRange | undefined;
  for (const { from, to } of stretches(before, after, common)) {
    if (pending?.to === from) {
      pending = { from: pending.from, to };
      continue;
    }
    if (pending !== undefined) yield pending;
    pending = { from, to };
  }
  if (after.inode.size > common) {
    if (pending?.to === common) {
      pending = { from: pending.from, to: after.inode.size };
    } else {
      if (pending !== undefined) yield pending;
      pending = { from: common, to: after.inode.size };
    }
  }
  if (pending !== undefined) yield pending;
}

/** Whether the bytes of two states of a file differ. */
export async function isDataDifferent(before: FileState, after: FileState): Promise<boolean> {
  if (before.inode.size !== after.inode.size) return true;
  for (const stretch of stretches(before, after, after.inode.size)) {
    if (await isStretchDifferent(before, after, stretch)) return true;
  }
  return false;
}

async function isStretchDifferent(before: FileState, after: FileState, stretch: Stretch): Promise<boolean> {
  const { to } = stretch;
  const length = Math.min(STEP_BYTES, to - stretch.from);
  const [a, b] = [new Uint8Array(length), new Uint8Array(length)];
  let from = stretch.from;
  while (from < to) {
    // Where both have holes, they are the same.
    from = Math.min(nextData(before, stretch.before, from, to), nextData(after, stretch.after, from, to));
    const count = Math.min(length, to - from);
    if (count <= 0) return false;
    await read(before, stretch.before, from, a.subarray(0, count));
    await read(after, stretch.after, from, b.subarray(0, count));
    if (Buffer.compare(a.subarray(0, count), b.subarray(0, count)) !== 0) return true;
    from += count;
    await setImmediate();
  }
  return false;
}

/** Where the data begins, at or after a position. */
function nextData(file: FileState, blob: BlobId | undefined, from: number, to: number): number {
  if (blob !== undefined) {
    const found = file.state.blobs.file(blob).seekData(from);
    return found < 0 ? to : found;
  }
  return extentAddress(file) === 0 ? to : from;
}

/** Fills `into` with a file's bytes from a position on, of which all lie in one blob or in none. */
async function read(file: FileState, blob: BlobId | undefined, from: number, into: Uint8Array): Promise<void> {
  const { blobs, packs } = file.state;
  into.fill(0);
  if (blob !== undefined) {
    await blobs.use(blob, (opened) => opened.readInBackground(into, 0, into.length, from));
    return;
  }
  const address = extentAddress(file);
  if (address !== 0) into.set(packs.get(asAddress(address)).subarray(from, from + into.length));
}
