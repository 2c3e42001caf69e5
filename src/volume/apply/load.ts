/**
 * Loading the inodes that an operation names: they exist, or the volume is damaged.
 */
import { CorruptionError } from '../../errors/corruption.js';
import type { Ino } from '../../store/units.js';
import type { Inode } from '../inode.js';
import type { VolumeState } from '../state.js';

export function loadInode(state: VolumeState, into: Inode, ino: Ino): Inode {
  if (!into.load(state.tree, ino)) throw new CorruptionError(`inode ${ino}`, 'missing');
  return into;
}
