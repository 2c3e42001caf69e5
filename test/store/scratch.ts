/**
 * What the tests of the real disk share: bytes to write, and places to write them.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { DiskError } from '../../src/store/disk.js';

export const pattern = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);

export const failure = (code: string, syscall: string, name: string): DiskError => new DiskError(code, syscall, name);

export const equalBytes = (t: Test, found: Uint8Array, wanted: Uint8Array, message = 'the same bytes'): void => {
  t.ok(Buffer.compare(found, wanted) === 0, message);
};

export const scratch = (t: Test): string => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'razorfs-disk-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  return directory;
};

/** Mounts a new image of `megabytes`. */
export const loopMounted = (t: Test, type: 'ext2' | 'ext4' | 'btrfs' | 'xfs', megabytes: number): string => {
  const directory = scratch(t);
  const image = path.join(directory, 'image');
  const point = path.join(directory, 'point');
  fs.mkdirSync(point);
  fs.writeFileSync(image, '');
  fs.truncateSync(image, megabytes << 20);
  execFileSync(`mkfs.${type}`, ['-q', type.startsWith('ext') ? '-F' : '-f', image]);
  execFileSync('mount', ['-o', 'loop', image, point]);
  // Lazily: a failed test may have left a file open there.
  t.teardown(() => execFileSync('umount', ['-l', point]));
  return point;
};
