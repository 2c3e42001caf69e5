/**
 * A small disk of its own for a store: a file with a file system on it, mounted through a loop device. Needs root.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { ROOT } from '../cli/program.js';
import { type Teardown, until } from '../mount/mounting.js';
import { isInstalled } from './mounted-store.js';

const BALLAST = 'ballast';
const PIECE = Buffer.alloc(1 << 20, 'b');

/** How each is made. */
const MAKERS = {
  // No blocks kept for root, so that full means full, and few inodes' worth of tables.
  ext4: ['mkfs.ext4', '-q', '-F', '-m', '0', '-O', '^has_journal', '-E', 'lazy_itable_init=0'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
  xfs: ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1'],
} as const;
export type LoopDiskType = keyof typeof MAKERS;

/** Why there can be none here, or false. */
export function noLoopDisk(type: LoopDiskType = 'ext4'): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = [MAKERS[type][0], 'losetup'].filter((program) => !isInstalled(program));
  if (missing.length > 0) return `needs ${missing.join(' and ')}`;
  // The kernel's module is loaded when it is first mounted, if there is one.
  spawnSync('modprobe', ['-q', type]);
  const isKnown = new RegExp(`\\b${type}$`, 'm').test(readFileSync('/proc/filesystems', 'latin1'));
  return isKnown ? false : `needs a kernel with ${type}`;
}

export class LoopDisk {
  readonly #directory: string;
  /** Where it is mounted. */
  readonly path: string;

  constructor(t: Teardown, bytes: number, type: LoopDiskType = 'ext4') {
    this.#directory = mkdtempSync(path.join(ROOT, 'build/test-disk-'));
    this.path = path.join(this.#directory, 'disk');
    const image = path.join(this.#directory, 'image');
    t.teardown(async () => this.#clear());
    const fd = openSync(image, 'w');
    ftruncateSync(fd, bytes);
    closeSync(fd);
    mkdirSync(this.path);
    const [program, ...words] = MAKERS[type];
    must(program, [...words, image]);
    must('mount', ['-o', 'loop', image, this.path]);
  }

  /**
   * Bytes in use, once the host has written all that it still had in memory, and freed what it no longer needs. Nothing may be open
   * for writing any more; a process that is just ending is waited for.
   */
  async usedBytes(): Promise<number> {
    await until(() => spawnSync('mount', ['-o', 'remount,ro', this.path]).status === 0);
    must('mount', ['-o', 'remount,rw', this.path]);
    const { blocks, bfree, bsize } = statfsSync(this.path);
    return (blocks - bfree) * bsize;
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
