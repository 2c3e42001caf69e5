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

/** File types, the top four bits of `mode` (inode(7)). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IXGRP = 0o010;

export const isDirectory = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR;
export const isRegular = (mode: number): boolean => (mode & S_IFMT) === S_IFREG;
export const isSymlink = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK;
/** The directory entry type (DT_*, readdir(3)) for a mode. */
export const direntType = (mode: number): number => (mode & S_IFMT) >>> 12;
