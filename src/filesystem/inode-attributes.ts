/**
 * Reading and changing what stat(2) shows.
 */
import { EINVAL, EISDIR } from '../errors/errno.js';
import type { Ino } from '../store/units.js';
import { Inode, type Timestamp } from '../volume/inode.js';
import { isDirectory, isRegular } from '../volume/mode.js';
import type { MakeOperation, SetAttributesOperation } from '../volume/operation.js';
import type { Volume } from '../volume/volume.js';
import { load } from './access.js';
import { ACCESS_ACL_XATTR } from './acl.js';
import type { Attributes } from './attributes.js';
import type { ExtendedAttributes } from './extended-attributes.js';
import type { FileData } from './file-data.js';
import type { AttributeChanges, Caller, TimeChange } from './operations.js';
import { CAPABILITY_XATTR, sameMode, withoutPrivileges } from './permissions.js';

/** How reading changes atime: not at all, when it is older than mtime, ctime or a day (mount(8)), or always. */
export type AtimePolicy = 'noatime' | 'relatime' | 'strictatime';

const DIRECTORY_SIZE = 4096;
const HOST_BLOCK_BYTES = 512;
const RELATIME_SECONDS = 24 * 60 * 60;

export class InodeAttributes {
  readonly #volume: Volume;
  readonly #data: FileData;
  readonly #xattrs: ExtendedAttributes;
  readonly #atime: AtimePolicy;
  readonly #nodeOf: (ino: Ino) => Ino;
  readonly #inode = new Inode();

  /** `nodeOf`: the number that attributes have for an inode. */
  constructor(
    volume: Volume,
    data: FileData,
    xattrs: ExtendedAttributes,
    atime: AtimePolicy,
    nodeOf: (ino: Ino) => Ino,
  ) {
    this.#volume = volume;
    this.#data = data;
    this.#xattrs = xattrs;
    this.#atime = atime;
    this.#nodeOf = nodeOf;
  }

  get(ino: Ino, out: Attributes): void {
    const inode = load(this.#volume, ino, this.#inode);
    out.ino = this.#nodeOf(ino);
    out.mode = inode.mode;
    out.nlink = inode.nlink;
    out.uid = inode.uid;
    out.gid = inode.gid;
    out.rdev = inode.rdev;
    out.size = isDirectory(inode.mode) ? DIRECTORY_SIZE : inode.size;
    out.blocks = isRegular(inode.mode) ? Math.ceil(this.#data.allocatedBytes(inode) / HOST_BLOCK_BYTES) : 0;
    out.atimeSeconds = inode.atimeSeconds;
    out.atimeNanoseconds = inode.atimeNanoseconds;
    out.mtimeSeconds = inode.mtimeSeconds;
    out.mtimeNanoseconds = inode.mtimeNanoseconds;
    out.ctimeSeconds = inode.ctimeSeconds;
    out.ctimeNanoseconds = inode.ctimeNanoseconds;
    out.btimeSeconds = inode.btimeSeconds;
    out.btimeNanoseconds = inode.btimeNanoseconds;
  }

  /** Fills `out` with what `get` will say of an inode once it is made. */
  showNew({ ino, parent, mode, uid, gid, rdev, target, time }: MakeOperation, out: Attributes): void {
    const directory = isDirectory(mode);
    out.ino = this.#nodeOf(ino);
    out.mode = mode;
    out.nlink = parent === 0 ? 0 : directory ? 2 : 1;
    out.uid = uid;
    out.gid = gid;
    out.rdev = rdev;
    out.size = directory ? DIRECTORY_SIZE : target.length;
    out.blocks = 0;
    showTimes(time, time, time, out);
    out.btimeSeconds = time.seconds;
    out.btimeNanoseconds = time.nanoseconds;
  }

  /** Changes attributes, and fills `out` with what they are then. */
  set(ino: Ino, changes: AttributeChanges, caller: Caller, out: Attributes): void {
    this.#volume.assertWritable();
    const killed = changes.killPrivileges === true;
    if (changes.size !== undefined) this.#resize(ino, changes.size, killed, caller, changes.isTimed === true);
    const inode = load(this.#volume, ino, this.#inode);
    const now = this.#volume.now();
    const ownerChanges = changes.uid !== undefined || changes.gid !== undefined;
    let mode = changes.mode === undefined ? inode.mode : (inode.mode & ~0o7777) | (changes.mode & 0o7777);
    if (killed || (ownerChanges && changes.mode === undefined)) mode = withoutPrivileges(mode);
    const operation = {
      type: 'setAttributes' as const,
      ino,
      mode,
      uid: changes.uid ?? inode.uid,
      gid: changes.gid ?? inode.gid,
      atime: timeAfter(changes.atime, now, { seconds: inode.atimeSeconds, nanoseconds: inode.atimeNanoseconds }),
      mtime: timeAfter(changes.mtime, now, { seconds: inode.mtimeSeconds, nanoseconds: inode.mtimeNanoseconds }),
      ctime: timeAfter(changes.ctime ?? 'now', now, now),
    };
    if ((killed || ownerChanges) && !isDirectory(mode)) this.#dropCapabilities(inode, caller);
    if (changes.mode !== undefined) this.#changeAccessAcl(inode, mode, now, caller);
    this.get(ino, out);
    if (!changesBesidesSize(changes)) return;
    showChanged(operation, out);
    this.#volume.perform(operation, caller.request, caller.logged);
  }

  /** The access control list follows the mode (acl(5)). */
  #changeAccessAcl(inode: Inode, mode: number, time: Timestamp, caller: Caller): void {
    const value = this.#xattrs.accessAclAfterChmod(inode, mode);
    if (value === undefined) return;
    const { ino } = inode;
    this.#volume.perform({ type: 'setXattr', ino, name: ACCESS_ACL_XATTR, value, mode, time }, caller.request);
  }

  #resize(ino: Ino, size: number, killed: boolean, caller: Caller, isTimed: boolean): void {
    const inode = load(this.#volume, ino, this.#inode);
    if (isDirectory(inode.mode)) throw EISDIR;
    if (!isRegular(inode.mode) || size < 0) throw EINVAL;
    this.#data.resize(ino, size, killed ? withoutPrivileges : sameMode, caller, isTimed);
  }

  /** File capabilities go when the owner changes or the content does (capabilities(7)). */
  #dropCapabilities(inode: Inode, caller: Caller): void {
    if (this.#xattrs.has(inode, CAPABILITY_XATTR)) this.#xattrs.remove(inode.ino, CAPABILITY_XATTR, caller);
  }

  /** A file or directory is being read: its atime moves if the policy wants that. */
  touch(ino: Ino): void {
    if (this.#atime === 'noatime' || this.#volume.readOnlyReason !== '') return;
    const inode = load(this.#volume, ino, this.#inode);
    const now = this.#volume.now();
    if (this.#atime === 'relatime' && !isAtimeStale(inode, now)) return;
    const { mode, uid, gid } = inode;
    const mtime = { seconds: inode.mtimeSeconds, nanoseconds: inode.mtimeNanoseconds };
    const ctime = { seconds: inode.ctimeSeconds, nanoseconds: inode.ctimeNanoseconds };
    this.#volume.perform({ type: 'setAttributes', ino, mode, uid, gid, atime: now, mtime, ctime }, 0);
  }
}

/** Fills `out`, which has what was before, with what is after a change. */
function showChanged({ mode, uid, gid, atime, mtime, ctime }: SetAttributesOperation, out: Attributes): void {
  out.mode = mode;
  out.uid = uid;
  out.gid = gid;
  showTimes(atime, mtime, ctime, out);
}

function showTimes(atime: Timestamp, mtime: Timestamp, ctime: Timestamp, out: Attributes): void {
  out.atimeSeconds = atime.seconds;
  out.atimeNanoseconds = atime.nanoseconds;
  out.mtimeSeconds = mtime.seconds;
  out.mtimeNanoseconds = mtime.nanoseconds;
  out.ctimeSeconds = ctime.seconds;
  out.ctimeNanoseconds = ctime.nanoseconds;
}

const changesBesidesSize = ({ mode, uid, gid, atime, mtime, ctime }: AttributeChanges): boolean =>
  [mode, uid, gid, atime, mtime, ctime].some((change) => change !== undefined);

function timeAfter(change: TimeChange | undefined, now: Timestamp, unchanged: Timestamp): Timestamp {
  if (change === undefined) return unchanged;
  return change === 'now' ? now : change;
}

/** Whether relatime moves atime: it is not after mtime and ctime, or a day old (mount(8)). */
function isAtimeStale(inode: Inode, now: Timestamp): boolean {
  const { atimeSeconds: seconds, atimeNanoseconds: nanoseconds } = inode;
  const notAfter = (otherSeconds: number, otherNanoseconds: number): boolean =>
    seconds < otherSeconds || (seconds === otherSeconds && nanoseconds <= otherNanoseconds);
  return (
    notAfter(inode.mtimeSeconds, inode.mtimeNanoseconds) ||
    notAfter(inode.ctimeSeconds, inode.ctimeNanoseconds) ||
    now.seconds - seconds >= RELATIME_SECONDS
  );
}
