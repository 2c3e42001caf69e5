/**
 * Which inodes the kernel may still know, so that an unlinked file is given up when its last user is gone and not before.
 *
 * The kernel counts each time that a reply names an inode, and gives the count back in a FORGET once it drops the inode. It
 * queues FORGETs apart from other requests, so one may arrive after a LOOKUP that was answered later: the file would be taken
 * from under its new user. An exact count for each inode would grow with the number of files. So inodes share counters, which
 * only tell "certainly not known any more" from "perhaps"; in doubt, and only for files without a name, the kernel itself is
 * asked: an invalidation of an inode that it does not know fails with ENOENT.
 *
 * INVARIANT: a counter is at least the sum of the kernel's counts of its inodes, while all replies since INIT went through here.
 */
import { constants } from 'node:os';
import { Attributes } from '../filesystem/attributes.js';
import type { FileSystemOperations } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';
import type { FailureLog } from './failure-log.js';
import { invalidateInode } from './notify.js';

/** A power of two: inode numbers that follow each other fall on counters of their own. 4 MiB, touched only as far as used. */
const COUNTERS = 1 << 20;

export interface ReferencesOptions {
  readonly filesystem: FileSystemOperations;
  readonly failures: FailureLog;
  /** False when the kernel may know inodes from a process before this one: then there are no certain counts. */
  readonly complete: boolean;
  /** Writes a notification to the kernel, not on this thread; resolves with the positive errno, 0 for none. */
  notify(notification: Uint8Array): Promise<number>;
}

export class References {
  readonly #options: ReferencesOptions;
  readonly #counters = new Uint32Array(COUNTERS);
  /** Inodes that the kernel is being asked about. */
  readonly #asked = new Set<Ino>();
  readonly #attributes = new Attributes();

  constructor(options: ReferencesOptions) {
    this.#options = options;
  }

  /** A reply names the inode. */
  handedOut(ino: Ino): void {
    this.#counters[ino % COUNTERS]!++;
    if (this.#asked.size > 0) {
      this.#asked.delete(ino);
    }
  }

  /** The kernel gives back `count` of the times. */
  givenBack(ino: Ino, count: number): void {
    const { filesystem, complete } = this.#options;
    const index = ino % COUNTERS;
    const left = Math.max(0, this.#counters[index]! - count);
    this.#counters[index] = left;
    if (left === 0 && complete) {
      filesystem.forget(ino);
      return;
    }
    filesystem.getAttributes(ino, this.#attributes);
    if (this.#attributes.nlink === 0) {
      void this.reconsider(ino);
    }
  }

  /** Gives up an inode without a name if the kernel does not know it any more. */
  async reconsider(ino: Ino): Promise<void> {
    this.#asked.add(ino);
    // An offset below 0 spares the cached data.
    const errno = await this.#options.notify(invalidateInode(ino, -1, 0));
    if (this.#asked.delete(ino) && errno === constants.errno.ENOENT) {
      try {
        this.#options.filesystem.forget(ino);
      } catch (error) {
        this.#options.failures.report(error);
      }
    }
  }
}
