/**
 * What writing, truncating and changing the owner do to a file's mode and capabilities.
 */
import { isDirectory, S_ISGID, S_ISUID, S_IXGRP } from '../volume/mode.js';
import type { Caller } from './operations.js';

/** The attribute that holds file capabilities (capabilities(7)); it goes when setuid goes. */
export const CAPABILITY_XATTR = Buffer.from('security.capability');

/** The mode without setuid, and without setgid where that means set-group-ID on execution (inode(7)). */
export function withoutPrivileges(mode: number): number {
  if (isDirectory(mode)) return mode;
  const kept = mode & ~S_ISUID;
  return (kept & S_IXGRP) !== 0 ? kept & ~S_ISGID : kept;
}

/**
 * What fallocate and copy_file_range do to the mode. For those two the kernel leaves the decision to the file system and does not
 * say whether the caller has CAP_FSETID, which root usually has.
 */
export const modeAfterChangeBy = ({ uid }: Caller): ((mode: number) => number) =>
  uid === 0 ? sameMode : withoutPrivileges;

export const sameMode = (mode: number): number => mode;
