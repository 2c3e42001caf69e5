/**
 * Items that are found by a name: directory entries and extended attributes.
 *
 * Their minor key is the name's hash and a turn (name-hash.ts); the name itself is in the string table, where `find` compares it.
 */

import { type Address, asAddress } from '../store/units.js';
import type { StringTable } from '../strings/string-table.js';
import type { Tree } from '../tree/tree.js';
import { readU64 } from './items.js';
import { type NameHash, TURNS } from './name-hash.js';

export class NamedItems {
  readonly #tree: Tree;
  readonly #strings: StringTable;
  readonly #hash: NameHash;
  readonly #kind: number;
  /** The word of an item's value at which the address of its name stands. */
  readonly #nameWord: number;

  /** After a `find` that found nothing: the minor key for a new item of that name; -1 when no turn is left. */
  freeMinor = -1;

  constructor(tree: Tree, strings: StringTable, hash: NameHash, kind: number, nameWord: number) {
    this.#tree = tree;
    this.#strings = strings;
    this.#hash = hash;
    this.#kind = kind;
    this.#nameWord = nameWord;
  }

  /** The minor key of the item of `object` with this name, at which the tree's position then is; -1 when there is none. */
  find(object: number, name: Uint8Array): number {
    const first = this.#hash.minor(name);
    const tree = this.#tree;
    let free = first;
    if (tree.seek(object, this.#kind, first)) {
      do {
        if (!tree.isAt(object, this.#kind)) break;
        const minor = tree.minor;
        if (minor >= first + TURNS) break;
        if (this.#strings.equals(this.nameAddress(), name)) return minor;
        if (minor === free) free++;
      } while (tree.next());
    }
    this.freeMinor = free < first + TURNS ? free : -1;
    return -1;
  }

  /** The address of the name of the item at the tree's position. */
  nameAddress(): Address {
    return asAddress(readU64(this.#tree.words, this.#tree.valueWord + this.#nameWord));
  }
}
