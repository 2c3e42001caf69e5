/**
 * What the items of a leaf point to, so that it can be counted when the leaf is copied, and given up when the leaf goes.
 */
import { asAddress, asBlobId } from '../store/units.js';
import { KEY_WORDS } from '../tree/key.js';
import { countOf, leafSlot } from '../tree/page.js';
import { BLOB_WORD, hasBlob, STORAGE_MASK, STORAGE_WORD } from './inode.js';
import {
  KIND_DATASET,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_PART,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
} from './items.js';
import type { RecordKind } from './record-references.js';
import type { StoreState } from './state.js';

/** The words of an item's value in which addresses into an arena stand, and which arena. A zero points to nothing. */
export const ADDRESS_WORDS: ReadonlyMap<
  number,
  { readonly record: 'string' | 'extent'; readonly words: readonly number[] }
> = new Map([
  [KIND_DIRENT, { record: 'string', words: [2] }],
  [KIND_XATTR, { record: 'string', words: [0, 2] }],
  [KIND_SYMLINK, { record: 'string', words: [0] }],
  [KIND_EXTENT, { record: 'extent', words: [0] }],
  [KIND_DATASET, { record: 'string', words: [10, 12] }],
]);

/** Calls `visit` for each record that an item points to; `at` is where its value begins. */
export function visitRecords(
  words: Uint32Array,
  kind: number,
  at: number,
  visit: (record: RecordKind, number: number) => void,
): void {
  if (kind === KIND_INODE) {
    if (hasBlob(words[at + STORAGE_WORD] & STORAGE_MASK)) visit('blob', readU64(words, at + BLOB_WORD));
    return;
  }
  if (kind === KIND_PART) {
    visit('blob', readU64(words, at));
    return;
  }
  const places = ADDRESS_WORDS.get(kind);
  if (places === undefined) return;
  for (const word of places.words) {
    const address = readU64(words, at + word);
    if (address !== 0) visit(places.record, address);
  }
}

/** Calls `visit` for each record that the items of a leaf point to. */
export function visitLeafRecords(
  words: Uint32Array,
  base: number,
  visit: (record: RecordKind, number: number) => void,
): void {
  const count = countOf(words, base);
  for (let index = 0; index < count; index++) {
    const slot = leafSlot(base, index);
    const value = base + ((words[slot + KEY_WORDS] & 0xffff) >>> 2);
    visitRecords(words, words[slot + 2] >>> 24, value, visit);
  }
}

/** A leaf has been copied, and both copies stay. */
export function shareLeafRecords(state: StoreState, words: Uint32Array, base: number): void {
  visitLeafRecords(words, base, (record, number) => state.references.add(record, number));
}

/** A leaf goes. */
export function releaseLeafRecords(state: StoreState, words: Uint32Array, base: number): void {
  visitLeafRecords(words, base, (record, number) => {
    if (record === 'string') state.strings.release(asAddress(number));
    else if (record === 'extent') state.packs.release(asAddress(number));
    else state.releaseBlob(asBlobId(number));
  });
}
