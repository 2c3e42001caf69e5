/**
 * Makes the file system that holds the store.
 */
import { spawnSync } from 'node:child_process';
import type { HostFileSystem } from './order.js';

/** How each is made, and the Debian package that has what makes it. */
export const MAKERS = {
  ext4: { words: ['mkfs.ext4', '-q', '-F'], debianPackage: 'e2fsprogs' },
  xfs: { words: ['mkfs.xfs', '-q', '-f'], debianPackage: 'xfsprogs' },
  btrfs: { words: ['mkfs.btrfs', '-q', '-f'], debianPackage: 'btrfs-progs' },
} as const;

export function makeFileSystem(file: string, fileSystem: HostFileSystem): void {
  const [program, ...words] = MAKERS[fileSystem].words;
  // Only root has the directories of these programs in its path.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { status, stderr } = spawnSync(program, [...words, file], { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}
