/**
 * What a new inode takes over from its directory: group, setgid, and access control lists (inode(7), acl(5)).
 */
import type { Inode } from '../volume/inode.js';
import { isDirectory, isSymlink, S_ISGID } from '../volume/mode.js';
import type { Xattr } from '../volume/operation.js';
import { ACCESS_ACL_XATTR, Acl, DEFAULT_ACL_XATTR } from './acl.js';
import type { ExtendedAttributes } from './extended-attributes.js';
import type { Caller } from './operations.js';

export interface InheritedPermissions {
  readonly mode: number;
  readonly gid: number;
  readonly xattrs: readonly Xattr[];
}

const NO_XATTRS: readonly Xattr[] = [];
const PERMISSIONS = 0o777;

/** Mode, group and lists of an inode that `caller` makes in `directory` and wants to have `mode`. */
export function inheritPermissions(
  xattrs: ExtendedAttributes,
  directory: Inode,
  mode: number,
  caller: Caller,
): InheritedPermissions {
  const inheritsGroup = (directory.mode & S_ISGID) !== 0;
  const gid = inheritsGroup ? directory.gid : caller.gid;
  const wanted = inheritsGroup && isDirectory(mode) ? mode | S_ISGID : mode;
  if (isSymlink(mode)) return { mode: wanted, gid, xattrs: NO_XATTRS };
  const inherited = directory.xattrs > 0 ? xattrs.find(directory.ino, DEFAULT_ACL_XATTR) : undefined;
  if (inherited === undefined) return { mode: wanted & ~caller.umask, gid, xattrs: NO_XATTRS };
  // The view is read before anything else moves the tree.
  const value = Uint8Array.from(inherited);
  const access = Acl.parse(value).forNewInode(wanted);
  return {
    mode: (wanted & ~PERMISSIONS) | access.mode,
    gid,
    xattrs: [
      ...(access.isMinimal ? [] : [{ name: ACCESS_ACL_XATTR, value: access.encode() }]),
      ...(isDirectory(mode) ? [{ name: DEFAULT_ACL_XATTR, value }] : []),
    ],
  };
}
