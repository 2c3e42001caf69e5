/**
 * Listing directories.
 *
 * A cookie is 0 at the start, 1 after `.`, 2 after `..`, and 2 more than the entry's minor key after an entry. It depends on that
 * entry alone: whatever is made or removed meanwhile, an entry that stays is seen exactly once.
 */
import { asIno, type Ino } from '../store/units.js';
import { Inode } from '../volume/inode.js';
import { KIND_DIRENT, readU64 } from '../volume/items.js';
import { direntType, S_IFDIR } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import { loadDirectory } from './access.js';
import type { DirectoryVisitor } from './operations.js';

const DOT = Uint8Array.of(0x2e);
const DOT_DOT = Uint8Array.of(0x2e, 0x2e);
const COOKIE_AFTER_DOT = 1;
const COOKIE_AFTER_DOT_DOT = 2;
const COOKIE_OFFSET = 2;

export class DirectoryListing {
  readonly #volume: Volume;
  readonly #directory = new Inode();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  read(ino: Ino, cookie: number, visit: DirectoryVisitor): void {
    const { parent } = loadDirectory(this.#volume, ino, this.#directory);
    const type = direntType(S_IFDIR);
    if (cookie < COOKIE_AFTER_DOT && !visit(DOT, ino, type, COOKIE_AFTER_DOT)) return;
    if (cookie < COOKIE_AFTER_DOT_DOT && !visit(DOT_DOT, parent, type, COOKIE_AFTER_DOT_DOT)) return;
    this.#readEntries(ino, Math.max(0, cookie - COOKIE_OFFSET + 1), visit);
  }

  #readEntries(ino: Ino, fromMinor: number, visit: DirectoryVisitor): void {
    const { tree, strings, entries } = this.#volume.state;
    let found = tree.seek(ino, KIND_DIRENT, fromMinor);
    while (found && tree.isAt(ino, KIND_DIRENT)) {
      const minor = tree.minor;
      const child = asIno(readU64(tree.words, tree.valueWord));
      const type = tree.words[tree.valueWord + 4];
      const name = strings.get(entries.nameAddress());
      const { moves } = tree;
      if (!visit(name, child, type, minor + COOKIE_OFFSET)) return;
      // The visitor may have used the tree, to load the child's attributes.
      found = tree.moves === moves ? tree.next() : tree.seek(ino, KIND_DIRENT, minor + 1);
    }
  }
}
