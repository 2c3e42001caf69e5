/**
 * What stat(2) shows of an inode, as one reusable object: operations fill it in place, so that a request allocates nothing.
 */
import { asIno, type Ino } from '../store/units.js';

export class Attributes {
  ino: Ino = asIno(0);
  /** File type and permission bits, as st_mode. */
  mode = 0;
  nlink = 0;
  uid = 0;
  gid = 0;
  /** Device number of a device node, as the kernel's new_encode_dev packs it. */
  rdev = 0;
  /** Bytes. */
  size = 0;
  /** Allocated space in units of 512 bytes. */
  blocks = 0;
  /** Seconds since 1970, may be negative; nanoseconds 0 to 999,999,999. */
  atimeSeconds = 0;
  atimeNanoseconds = 0;
  mtimeSeconds = 0;
  mtimeNanoseconds = 0;
  ctimeSeconds = 0;
  ctimeNanoseconds = 0;
  /** Time of creation (statx btime). */
  btimeSeconds = 0;
  btimeNanoseconds = 0;
}

export * from '../volume/mode.js';
