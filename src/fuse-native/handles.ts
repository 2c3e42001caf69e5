/**
 * Open files: the handle that libfuse keeps for each, and when a file without a name may be given up.
 *
 * libfuse renames a file that is removed while it is open to `.fuse_hidden…`, and removes that name when the file is closed for the
 * last time; only then does it lose its last name. So most files are given up as they are unlinked, and the count here is for those
 * that somebody has opened meanwhile.
 */
import { EBADF } from '../errors/errno.js';
import type { FileSystemOperations } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';

export class Handles {
  readonly #filesystem: FileSystemOperations;
  /** By the handle. Those released are used again, since fuse-native has room for 31 bits. */
  readonly #files = new Map<number, Ino>();
  readonly #released: number[] = [];
  /** How often each file is open. */
  readonly #uses = new Map<Ino, number>();

  constructor(filesystem: FileSystemOperations) {
    this.#filesystem = filesystem;
  }

  /** Opens; the handle is greater than 0, which stands for none. */
  open(ino: Ino): number {
    const handle = this.#released.pop() ?? this.#files.size + 1;
    this.#files.set(handle, ino);
    this.#uses.set(ino, (this.#uses.get(ino) ?? 0) + 1);
    return handle;
  }

  /** The file of a handle. Throws EBADF. */
  file(handle: number): Ino {
    const ino = this.#files.get(handle);
    if (ino === undefined) {
      throw EBADF;
    }
    return ino;
  }

  release(handle: number): void {
    const ino = this.file(handle);
    this.#files.delete(handle);
    this.#released.push(handle);
    const uses = this.#uses.get(ino)! - 1;
    if (uses > 0) {
      this.#uses.set(ino, uses);
    } else {
      this.#uses.delete(ino);
      this.#filesystem.forget(ino);
    }
  }

  /** A file or directory has lost a name. If it was the last one, and nobody has it open, its space comes back. */
  unlinked(ino: Ino): void {
    if (!this.#uses.has(ino)) {
      this.#filesystem.forget(ino);
    }
  }
}
