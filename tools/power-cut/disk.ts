/**
 * The disk that holds the store: a file with a file system on it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import type { HostFileSystem } from './order.js';

const DISK_BYTES = 4 * 2 ** 30;

const MAKERS = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
} as const;

/** Makes it. Returns what qemu's option -drive calls it. */
export function makeDisk(file: string, fileSystem: HostFileSystem): string {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, DISK_BYTES);
  closeSync(fd);
  const [program, ...words] = MAKERS[fileSystem];
  const { status, stderr } = spawnSync(program, [...words, file], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return `file=${file},format=raw`;
}
