/**
 * A small disk of its own for a store: a file with ext4 on it, mounted through a loop device. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../cli/program.js';
import type { Teardown } from '../mount/mounting.js';
import { isInstalled } from './mounted-store.js';

const BALLAST = 'ballast';
const PIECE = Buffer.alloc(1 << 20, 'b');

/** Why there can be none here, or false. */
export function noLoopDisk(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  return isInstalled('mkfs.ext4') && isInstalled('losetup') ? false : 'needs mkfs.ext4 and losetup';
}

export class LoopDisk {
  readonly #directory: string;
  /** Where it is mounted. */
  readonly path: string;

  constructor(t: Teardown, bytes: number) {
    this.#directory = mkdtempSync(path.join(ROOT, 'build/test-disk-'));
    this.path = path.join(this.#directory, 'disk');
    const image = path.join(this.#directory, 'image');
    t.teardown(async () => this.#clear());
    const fd = openSync(image, 'w');
    ftruncateSync(fd, bytes);
    closeSync(fd);
    mkdirSync(this.path);
    // No blocks kept for root, so that full means full, and few inodes' worth of tables.
    must('mkfs.ext4', ['-q', '-F', '-m', '0', '-O', '^has_journal', '-E', 'lazy_itable_init=0', image]);
    must('mount', ['-o', 'loop', image, this.path]);
  }

  #clear(): void {
    spawnSync('umount', [this.path]);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Takes all space that is left, or so many bytes. */
  fill(bytes = Number.POSITIVE_INFINITY): void {
    const fd = openSync(path.join(this.path, BALLAST), 'a');
    try {
      for (let length = PIECE.length, taken = 0; length >= 1 && taken < bytes; ) {
        try {
          taken += writeSync(fd, PIECE, 0, length);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          length >>= 1;
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  /** Gives back what `fill` has taken. */
  drain(): void {
    rmSync(path.join(this.path, BALLAST), { force: true });
  }
}

function must(command: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  }
}
