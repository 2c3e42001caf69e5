/**
 * From the paths of libfuse's callbacks to inode numbers. Directories that were found are remembered, so that a path costs one
 * look-up as a rule.
 *
 * INVARIANTS:
 * - A remembered path leads to the directory remembered for it: whoever renames or removes says so (`forget`).
 * - The directories above a remembered one are remembered.
 */
import { EILSEQ, ENOENT, ENOTDIR } from '../errors/errno.js';
import { Attributes, isDirectory } from '../filesystem/attributes.js';
import type { FileSystemOperations } from '../filesystem/operations.js';
import { type Ino, ROOT_INO } from '../store/units.js';

/** Directories remembered. All are forgotten together when there are more. */
const REMEMBERED_MAX = 4096;

/** What fuse-native makes of bytes that are not UTF-8: such a name cannot be told from others. */
const REPLACEMENT = '\uFFFD';

/** An entry by its directory and its name there. */
export interface Entry {
  readonly parent: Ino;
  readonly name: Uint8Array;
}

/** A name in bytes. Throws EILSEQ when they are not known. */
export function nameBytes(name: string): Uint8Array {
  if (name.includes(REPLACEMENT)) {
    throw EILSEQ;
  }
  return Buffer.from(name);
}

export class Paths {
  readonly #filesystem: FileSystemOperations;
  readonly #attributes = new Attributes();
  readonly #directories = new Map<string, Ino>();

  constructor(filesystem: FileSystemOperations) {
    this.#filesystem = filesystem;
  }

  /** The entry that a path other than the root's names, whether it is there or not. Throws what its directories do. */
  entry(path: string): Entry {
    const slash = path.lastIndexOf('/');
    return { parent: this.#directory(path.slice(0, slash)), name: nameBytes(path.slice(slash + 1)) };
  }

  /** Fills `out` with the inode that a path leads to, and returns its number. Throws ENOENT. */
  find(path: string, out: Attributes = this.#attributes): Ino {
    if (path === '/') {
      this.#filesystem.getAttributes(ROOT_INO, out);
    } else {
      const { parent, name } = this.entry(path);
      this.#filesystem.lookup(parent, name, out);
    }
    return out.ino;
  }

  /** As `find`, but undefined where there is nothing. */
  findIfThere(path: string): Ino | undefined {
    try {
      return this.find(path);
    } catch (error) {
      if (error === ENOENT) {
        return undefined;
      }
      throw error;
    }
  }

  /** `path` without a slash at its end: empty for the root. */
  #directory(path: string): Ino {
    if (path === '') {
      return ROOT_INO;
    }
    const known = this.#directories.get(path);
    if (known !== undefined) {
      return known;
    }
    // Before its parents are looked for: none of them may go once it is remembered.
    if (this.#directories.size >= REMEMBERED_MAX) {
      this.#directories.clear();
    }
    const ino = this.find(path);
    if (!isDirectory(this.#attributes.mode)) {
      throw ENOTDIR;
    }
    this.#directories.set(path, ino);
    return ino;
  }

  /** A path leads nowhere, or elsewhere, from now on. */
  forget(path: string): void {
    // What it was may have had others below it.
    if (this.#directories.has(path)) {
      this.#directories.clear();
    }
  }
}
