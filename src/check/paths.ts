/**
 * The path of an inode, for findings: its directories are known from the inode table, their names are looked up in the tree.
 *
 * A lookup may have to read a whole directory, so that there is a limit on what all of them may read.
 */
import { ROOT_INO } from '../store/units.js';
import { KIND_DIRENT, readU64 } from '../volume/items.js';
import type { ArenaReader } from './arena-reader.js';
import { type InodeTable, NO_PARENT } from './inode-table.js';
import type { Leaves } from './leaves.js';

const ENTRIES_READ_MAX = 1_000_000;
const DEPTH_MAX = 200;

export class Paths {
  readonly #leaves: Leaves;
  readonly #strings: ArenaReader;
  readonly #table: InodeTable;
  #entriesLeft = ENTRIES_READ_MAX;

  constructor(leaves: Leaves, strings: ArenaReader, table: InodeTable) {
    this.#leaves = leaves;
    this.#strings = strings;
    this.#table = table;
  }

  /** The number and, if it can be found out, the path of an inode, to be added to a finding. */
  of(ino: number): { readonly ino: number; readonly path?: string } {
    const path = this.#path(ino);
    return path === undefined ? { ino } : { ino, path };
  }

  #path(ino: number): string | undefined {
    if (ino === ROOT_INO) return '/';
    const names: string[] = [];
    let index = this.#table.find(ino);
    for (let depth = 0; index >= 0 && this.#table.ino(index) !== ROOT_INO; depth++) {
      const parent = this.#table.parent(index);
      if (parent === NO_PARENT || depth === DEPTH_MAX) return undefined;
      const name = this.#nameIn(this.#table.ino(parent), this.#table.ino(index));
      if (name === undefined) return undefined;
      names.unshift(name);
      index = parent;
    }
    return index < 0 ? undefined : `/${names.join('/')}`;
  }

  #nameIn(directory: number, ino: number): string | undefined {
    for (const { page, slot } of this.#leaves.items(directory, KIND_DIRENT, 0)) {
      if (this.#entriesLeft-- <= 0) return undefined;
      const at = page.valueWord(slot);
      if (readU64(page.words, at) !== ino) continue;
      const problem = this.#strings.read(readU64(page.words, at + 2), directory, KIND_DIRENT, page.minor(slot));
      if (problem === undefined) return printable(this.#strings.payload);
    }
    return undefined;
  }
}

/** A name as text on one line: bytes that are no printable UTF-8 as \x.., as `ls -b` would. */
export function printable(name: Uint8Array): string {
  const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString('utf8');
  if (!/[\p{Cc}\ufffd]/u.test(text)) return text;
  return Array.from(name, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}
