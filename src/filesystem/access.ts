/**
 * How operations get at inodes: loading by number, with the errno that POSIX wants when there is none.
 */
import { EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, ESTALE } from '../errors/errno.js';
import type { Ino } from '../store/units.js';
import { Inode } from '../volume/inode.js';
import { isDirectory } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';

export const NAME_BYTES_MAX = 255;
const SLASH = 0x2f;
const DOT = 0x2e;

export const isDot = (name: Uint8Array): boolean => name.length === 1 && name[0] === DOT;
export const isDotDot = (name: Uint8Array): boolean => name.length === 2 && name[0] === DOT && name[1] === DOT;

/** Loads an inode. Throws ESTALE. */
export function load(volume: Volume, ino: Ino, into: Inode = new Inode()): Inode {
  if (!into.load(volume.state.tree, ino)) throw ESTALE;
  return into;
}

/** Loads a directory. Throws ESTALE, ENOTDIR. */
export function loadDirectory(volume: Volume, ino: Ino, into: Inode = new Inode()): Inode {
  const inode = load(volume, ino, into);
  if (!isDirectory(inode.mode)) throw ENOTDIR;
  return inode;
}

/** Loads a directory that is to get an entry. Throws ESTALE, ENOTDIR, and ENOENT when it has been removed. */
export function loadLivingDirectory(volume: Volume, ino: Ino, into: Inode = new Inode()): Inode {
  const inode = loadDirectory(volume, ino, into);
  if (inode.nlink === 0) throw ENOENT;
  return inode;
}

/** Throws ENAMETOOLONG, EINVAL. */
export function checkName(name: Uint8Array): void {
  if (name.length > NAME_BYTES_MAX) throw ENAMETOOLONG;
  if (name.length === 0 || name.includes(SLASH) || name.includes(0)) throw EINVAL;
}

/** Checks the name of an entry to be made. Throws ENAMETOOLONG, EINVAL. */
export function checkNewName(name: Uint8Array): void {
  checkName(name);
  if (isDot(name) || isDotDot(name)) throw EINVAL;
}
