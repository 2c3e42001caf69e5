/**
 * Whether a store would be lost at the next boot because it lies in memory: tmpfs or ramfs, also as the upper layer of an
 * overlay, which is what the root of a live system is.
 *
 * Relies on statfs(2) and, for overlays, on /proc/self/mountinfo (proc_pid_mountinfo(5)).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoName, fileSystemType } from '../native/addon.js';
import { DiskError } from './disk.js';

export type VolatileKind = 'tmpfs' | 'ramfs';

/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
const OVERLAYFS_SUPER_MAGIC = 0x794c7630;

/** An overlay may lie on another; the kernel stacks two at most (FILESYSTEM_MAX_STACK_DEPTH). */
const OVERLAYS_MAX = 2;

/** As the kernel limits the symlinks in a path (MAXSYMLINKS, path_resolution(7)). */
const SYMLINKS_MAX = 40;

/** The kind of memory that the path ends on, or would once it is made; undefined for a real disk. */
export const volatileKind = (target: string): VolatileKind | undefined => kindOf(target, OVERLAYS_MAX);

const kindOf = (target: string, overlaysLeft: number): VolatileKind | undefined => {
  const existing = nearestExisting(path.resolve(target));
  const type = fileSystemType(existing);
  if (type < 0) throw new DiskError(errnoName(type), 'statfs', existing);
  if (type === TMPFS_MAGIC) return 'tmpfs';
  if (type === RAMFS_MAGIC) return 'ramfs';
  if (type !== OVERLAYFS_SUPER_MAGIC || overlaysLeft === 0) return undefined;
  const upper = upperDirectory(fs.readFileSync('/proc/self/mountinfo', 'utf8'), fs.statSync(existing).dev);
  // The upper layer may lie outside of what this process can see, as in most containers: then nothing is known of it.
  return upper !== undefined && fs.existsSync(upper) ? kindOf(upper, overlaysLeft - 1) : undefined;
};

/** The path itself, or where it will be made: symlinks that lead nowhere yet are followed, then parents. */
export const nearestExisting = (target: string): string => {
  let current = target;
  for (let links = 0; !fs.existsSync(current); ) {
    const link = links++ < SYMLINKS_MAX ? linkTarget(current) : undefined;
    current = path.resolve(path.dirname(current), link ?? '.');
  }
  return current;
};

const linkTarget = (target: string): string | undefined => {
  try {
    return fs.readlinkSync(target);
  } catch {
    return undefined; // Not a symlink, not there, or not to be seen: the parent decides.
  }
};

/** The upperdir of the overlay with this device number (st_dev), as mountinfo has it. */
export const upperDirectory = (mountinfo: string, device: number): string | undefined => {
  // glibc's gnu_dev_major and gnu_dev_minor; anonymous devices, which overlays have, are small numbers.
  const major = Math.floor(device / 256) % 4096;
  const minor = (device % 256) + Math.floor(device / 2 ** 20) * 256;
  for (const line of mountinfo.split('\n')) {
    const [mount, fileSystem] = line.split(' - ');
    if (fileSystem === undefined || mount.split(' ')[2] !== `${major}:${minor}`) continue;
    const option = fileSystem
      .split(' ')
      .slice(2)
      .join(' ')
      .split(',')
      .find((word) => word.startsWith('upperdir='));
    if (option !== undefined) return decodeOctal(option.slice('upperdir='.length));
  }
  return undefined;
};

/** mountinfo writes blanks, newlines and backslashes as three octal digits. */
const decodeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
