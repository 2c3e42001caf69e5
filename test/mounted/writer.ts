/**
 * A process that changes a directory without pause until a system call fails, and keeps a journal of what it does: a line
 * before each operation, and one after it has returned. `kill-rounds.ts` forks it, and reads the journal.
 *
 * The journal is a file on the host, outside the mount: what was written there stays, whoever is killed.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { ROOT } from '../cli/program.js';
import { Random } from '../random.js';
import { contentOf, MODE_OF_NEW_FILES, type Operation, WorkModel } from './work-model.js';

export interface WriterOrder {
  readonly directory: string;
  readonly journal: string;
  readonly seed: number;
  /** setfattr(1) is there. */
  readonly withXattrs: boolean;
  /** Of a hundred writes, how many are fsynced; of other files and of directories, a tenth as many. */
  readonly syncPercent: number;
  /** Snapshots are taken of the volume mounted there, with names that begin so. */
  readonly snapshots?: { readonly mountPoint: string; readonly prefix: string };
}

/** Where a writer ended: with the error of the call that failed. */
export interface WriterEnd {
  readonly error: string;
  readonly operations: number;
}

const NAMES_MAX = 40;
/** Beyond what a pack takes, so that some files have host files of their own. */
const LARGE_BYTES = 200_000;
/** Of the operations that set an attribute, which costs a process, one in so many is done. */
const XATTR_RARITY = 10;
const RAZORFS = path.join(ROOT, 'build/src/cli/razorfs.js');

class Writer {
  readonly #order: WriterOrder;
  readonly #model = new WorkModel();
  readonly #random: Random;
  #seed: number;

  constructor(order: WriterOrder) {
    this.#order = order;
    this.#random = new Random(order.seed);
    this.#seed = order.seed;
  }

  /** Works until something fails. */
  run(): WriterEnd {
    const journal = openSync(this.#order.journal, 'a');
    let operations = 0;
    try {
      for (;;) {
        const operation = this.#choose();
        if (operation === undefined) continue;
        writeSync(journal, `begin ${millisecondsUp()} ${JSON.stringify(operation)}\n`);
        this.#perform(operation);
        writeSync(journal, `end ${millisecondsUp()}\n`);
        this.#model.apply(operation);
        operations++;
      }
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error), operations };
    } finally {
      closeSync(journal);
    }
  }

  #name(): string {
    const directories = this.#model.paths('directory');
    const name = `n${this.#random.below(NAMES_MAX)}`;
    return directories.length > 0 && this.#random.below(2) === 0
      ? path.join(this.#random.pick(directories), name)
      : name;
  }

  #length(): number {
    switch (this.#random.below(8)) {
      case 0:
        return 0;
      case 1:
        return this.#random.below(LARGE_BYTES);
      default:
        return this.#random.below(6000);
    }
  }

  /** An operation that the model allows, or undefined when the one that came up does not fit. */
  #choose(): Operation | undefined {
    const random = this.#random;
    const files = this.#model.paths('file');
    const name = this.#name();
    const isFree = !this.#model.nodes.has(name);
    const file = files.length > 0 ? random.pick(files) : undefined;
    const seed = ++this.#seed;
    const roll = random.below(100);
    const isSynced = this.#isSynced();
    const { snapshots } = this.#order;
    if (roll < 28 || file === undefined) {
      const isFile = this.#model.nodes.get(name)?.kind === 'file';
      return isFree || isFile ? { op: 'write', path: name, seed, length: this.#length(), isSynced } : undefined;
    }
    if (roll < 34) return { op: 'append', path: file, seed, length: 1 + this.#length(), isSynced };
    if (roll < 40) return this.#overwriting(file, seed, isSynced);
    if (roll < 44) return { op: 'truncate', path: file, length: this.#length() };
    if (roll < 52) return { op: 'unlink', path: file };
    if (roll < 70) return this.#renaming(file, name);
    if (roll < 78) return isFree ? { op: 'link', path: file, to: name } : undefined;
    if (roll < 84) return isFree ? { op: 'mkdir', path: name } : undefined;
    if (roll < 88) return this.#removal();
    if (roll < 92) return isFree ? { op: 'symlink', path: name, target: `to/${seed}` } : undefined;
    if (roll < 94) return isSynced ? { op: 'fsync', path: this.#synced(file) } : undefined;
    if (roll < 97 && snapshots !== undefined) return { op: 'snapshot', path: '', name: `${snapshots.prefix}-${seed}` };
    if (roll < 98 || !this.#order.withXattrs || random.below(XATTR_RARITY) > 0) {
      return { op: 'chmod', path: file, mode: 0o600 + random.below(64) };
    }
    return { op: 'setxattr', path: file, name: `user.n${random.below(3)}`, value: `v${seed}` };
  }

  #isSynced(): boolean {
    return this.#random.below(10_000) < this.#order.syncPercent * 100;
  }

  /** A file, or a directory. */
  #synced(file: string): string {
    return this.#random.below(2) === 0 ? file : this.#random.pick(['', ...this.#model.paths('directory')]);
  }

  #overwriting(file: string, seed: number, isSynced: boolean): Operation | undefined {
    const node = this.#model.nodes.get(file);
    const size = node?.kind === 'file' ? node.content.length : 0;
    if (size === 0) return undefined;
    const at = this.#random.below(size);
    return { op: 'overwrite', path: file, seed, at, length: 1 + this.#random.below(size - at), isSynced };
  }

  #renaming(file: string, to: string): Operation | undefined {
    const replaced = this.#model.nodes.get(to)?.kind;
    const directories = this.#model.paths('directory');
    if (directories.length > 0 && this.#random.below(4) === 0) {
      const directory = this.#random.pick(directories);
      const fits = replaced === undefined && !to.startsWith(`${directory}/`);
      return fits ? { op: 'rename', path: directory, to } : undefined;
    }
    return replaced === undefined || replaced === 'file' ? { op: 'rename', path: file, to } : undefined;
  }

  #removal(): Operation | undefined {
    const empty = this.#model.paths('directory').filter((name) => this.#model.isEmptyDirectory(name));
    return empty.length > 0 ? { op: 'rmdir', path: this.#random.pick(empty) } : undefined;
  }

  #perform(operation: Operation): void {
    const full = path.join(this.#order.directory, operation.path);
    switch (operation.op) {
      case 'write':
        this.#writeFile(full, 'w', operation, 0);
        return;
      case 'append':
        this.#writeFile(full, 'a', operation, null);
        return;
      case 'overwrite':
        this.#writeFile(full, 'r+', operation, operation.at);
        return;
      case 'truncate':
        truncateSync(full, operation.length);
        return;
      case 'mkdir':
        mkdirSync(full);
        return;
      case 'rmdir':
        rmdirSync(full);
        return;
      case 'unlink':
        unlinkSync(full);
        return;
      case 'rename':
        renameSync(full, path.join(this.#order.directory, operation.to));
        return;
      case 'link':
        linkSync(full, path.join(this.#order.directory, operation.to));
        return;
      case 'symlink':
        symlinkSync(operation.target, full);
        return;
      case 'chmod':
        chmodSync(full, operation.mode);
        return;
      case 'setxattr':
        succeed('setfattr', ['-n', operation.name, '-v', operation.value, full]);
        return;
      case 'fsync': {
        const fd = openSync(full, 'r');
        fsyncSync(fd);
        closeSync(fd);
        return;
      }
      case 'snapshot':
        succeed(process.execPath, [RAZORFS, 'snapshot', 'create', this.#order.snapshots!.mountPoint, operation.name]);
        return;
    }
  }

  /** Written in one or several pieces, at a place or, without one, at the end. */
  #writeFile(
    full: string,
    flags: string,
    { seed, length, isSynced }: Extract<Operation, { isSynced: boolean }>,
    at: number | null,
  ): void {
    const content = contentOf(seed, length);
    const fd = openSync(full, flags, MODE_OF_NEW_FILES);
    try {
      const piece = this.#random.below(3) === 0 ? Math.max(1, content.length >> 2) : content.length;
      for (let done = 0; done < content.length; done += piece) {
        writeSync(fd, content, done, Math.min(piece, content.length - done), at === null ? null : at + done);
      }
      if (isSynced) {
        fsyncSync(fd);
      }
    } finally {
      closeSync(fd);
    }
  }
}

/** Since the machine was started: the same clock for all its processes. */
function millisecondsUp(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

function succeed(command: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(stderr);
  }
}

process.umask(0);
process.on('message', (order: WriterOrder) => {
  process.send!(new Writer(order).run());
});
// Its parent has gone, or does not want it any more.
process.on('disconnect', () => process.exit());
