/**
 * The root directory of a new volume.
 */
import { ROOT_INO } from '../store/units.js';
import type { Tree } from '../tree/tree.js';
import { Inode, type Timestamp } from './inode.js';
import { S_IFDIR } from './mode.js';

/** Adds the root directory to an empty tree. */
export function insertRootDirectory(tree: Tree, uid: number, gid: number, time: Timestamp): void {
  const root = new Inode();
  root.ino = ROOT_INO;
  root.mode = S_IFDIR | 0o755;
  root.nlink = 2;
  root.uid = uid;
  root.gid = gid;
  root.parent = ROOT_INO;
  root.setAtime(time);
  root.setChanged(time);
  root.btimeSeconds = time.seconds;
  root.btimeNanoseconds = time.nanoseconds;
  root.insert(tree);
}
