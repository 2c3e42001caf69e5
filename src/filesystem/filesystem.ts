/**
 * POSIX semantics on a volume: the operations of a mounted filesystem, each delegated to the file that is about its subject.
 */

import { CorruptionError } from '../errors/corruption.js';
import { EINVAL, ENODATA, ENOENT, Errno } from '../errors/errno.js';
import { DiskError } from '../store/disk.js';
import type { BlobId, Ino } from '../store/units.js';
import { asAddress } from '../store/units.js';
import { Inode } from '../volume/inode.js';
import { KIND_SYMLINK, readU64 } from '../volume/items.js';
import { isDirectory, isSymlink } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import { load, NAME_BYTES_MAX } from './access.js';
import type { Attributes } from './attributes.js';
import { DirectoryListing } from './directory-listing.js';
import { ExtendedAttributes } from './extended-attributes.js';
import { FileData } from './file-data.js';
import { type AtimePolicy, InodeAttributes } from './inode-attributes.js';
import { Names } from './names.js';
import type {
  AttributeChanges,
  Caller,
  Delivery,
  DirectoryVisitor,
  FileSystemOperations,
  FileSystemStatistics,
  ReadResult,
} from './operations.js';
import { CAPABILITY_XATTR, modeAfterChangeBy, sameMode, withoutPrivileges } from './permissions.js';
import { narrowToQuotas } from './quotas.js';

export interface FileSystemOptions {
  readonly atime: AtimePolicy;
  /** Listing a directory does not move its atime, whatever the policy. */
  readonly nodiratime?: boolean;
  /** Changes are durable before they return, whatever the store's durability. */
  readonly sync?: boolean;
  /** The number by which the caller knows an inode, for attributes; where there is none, the inode's own. */
  readonly nodeOf?: (ino: Ino) => Ino;
}

const NO_TARGET = new Uint8Array(0);

export class FileSystem implements FileSystemOperations {
  readonly #volume: Volume;
  readonly #names: Names;
  readonly #listing: DirectoryListing;
  readonly #data: FileData;
  readonly #xattrs: ExtendedAttributes;
  readonly #attributes: InodeAttributes;
  readonly #nodiratime: boolean;
  readonly #sync: boolean;
  readonly #inode = new Inode();

  constructor(volume: Volume, options: FileSystemOptions) {
    this.#volume = volume;
    this.#nodiratime = options.nodiratime ?? false;
    this.#sync = options.sync ?? false;
    this.#xattrs = new ExtendedAttributes(volume);
    this.#listing = new DirectoryListing(volume);
    this.#data = new FileData(volume, this.isSync);
    const { atime, nodeOf = (ino) => ino } = options;
    this.#attributes = new InodeAttributes(volume, this.#data, this.#xattrs, atime, nodeOf);
    this.#names = new Names(volume, this.#xattrs, this.#attributes);
  }

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  find(parent: Ino, name: Uint8Array, out: Attributes): boolean {
    const ino = this.#names.find(parent, name);
    if (ino !== undefined) this.#attributes.get(ino, out);
    return ino !== undefined;
  }

  lookup(parent: Ino, name: Uint8Array, out: Attributes): void {
    if (!this.find(parent, name, out)) throw ENOENT;
  }

  forget(ino: Ino): void {
    this.#volume.reclaim(ino);
  }

  getAttributes(ino: Ino, out: Attributes): void {
    this.#attributes.get(ino, out);
  }

  setAttributes(ino: Ino, changes: AttributeChanges, caller: Caller, out: Attributes): void {
    this.#attributes.set(ino, changes, caller, out);
  }

  // ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  makeNode(parent: Ino, name: Uint8Array, mode: number, rdev: number, caller: Caller, out: Attributes): void {
    this.#names.make(parent, name, mode, rdev, NO_TARGET, caller, out);
  }

  makeDirectory(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): void {
    this.#names.makeDirectory(parent, name, mode, caller, out);
  }

  makeSymlink(parent: Ino, name: Uint8Array, target: Uint8Array, caller: Caller, out: Attributes): void {
    this.#names.makeSymlink(parent, name, target, caller, out);
  }

  makeTemporary(parent: Ino, mode: number, caller: Caller, out: Attributes): void {
    this.#names.makeTemporary(parent, mode, caller, out);
  }

  readSymlink(ino: Ino): Uint8Array {
    const { tree, strings } = this.#volume.state;
    if (!isSymlink(load(this.#volume, ino, this.#inode).mode)) throw EINVAL;
    this.#touch(ino);
    if (!tree.find(ino, KIND_SYMLINK, 0)) throw new CorruptionError(`inode ${ino}`, 'its target is missing');
    return strings.get(asAddress(readU64(tree.words, tree.valueWord)));
  }

  link(ino: Ino, parent: Ino, name: Uint8Array, caller: Caller, out: Attributes): void {
    this.#names.link(ino, parent, name, caller);
    this.#attributes.get(ino, out);
  }

  unlink(parent: Ino, name: Uint8Array, caller: Caller): void {
    this.#names.unlink(parent, name, caller);
  }

  removeDirectory(parent: Ino, name: Uint8Array, caller: Caller): void {
    this.#names.removeDirectory(parent, name, caller);
  }

  rename(parent: Ino, name: Uint8Array, toParent: Ino, toName: Uint8Array, flags: number, caller: Caller): void {
    this.#names.rename(parent, name, toParent, toName, flags, caller);
  }

  readDirectory(ino: Ino, cookie: number, visit: DirectoryVisitor): void {
    if (cookie === 0 && !this.#nodiratime) this.#touch(ino);
    this.#listing.read(ino, cookie, visit);
  }

  // ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  read(ino: Ino, position: number, length: number, into: Uint8Array, at: number, delivery?: Delivery): ReadResult {
    this.#touch(ino);
    return this.#data.read(ino, position, length, into, at, delivery);
  }

  /** Moves atime. Reading must not fail because that does. */
  #touch(ino: Ino): void {
    try {
      this.#attributes.touch(ino);
    } catch (error) {
      if (!(error instanceof Errno) && !(error instanceof DiskError)) throw error;
    }
  }

  write(
    ino: Ino,
    position: number,
    length: number,
    from: Uint8Array,
    at: number,
    killPrivileges: boolean,
    caller: Caller,
    isTimed = false,
  ): void {
    const modeOf = killPrivileges ? withoutPrivileges : sameMode;
    const logged = killPrivileges ? undefined : caller.logged;
    this.#data.write(ino, position, length, from, at, modeOf, caller, isTimed, logged);
    if (killPrivileges) this.#dropCapabilities(ino, caller);
  }

  #dropCapabilities(ino: Ino, caller: Caller): void {
    const inode = load(this.#volume, ino, this.#inode);
    if (this.#xattrs.has(inode, CAPABILITY_XATTR)) this.#xattrs.remove(ino, CAPABILITY_XATTR, caller);
  }

  allocate(ino: Ino, mode: number, position: number, length: number, caller: Caller): void {
    this.#data.allocate(ino, mode, position, length, modeAfterChangeBy(caller), caller);
  }

  seek(ino: Ino, position: number, whence: number): number {
    return this.#data.seek(ino, position, whence);
  }

  copyRange(from: Ino, fromPosition: number, to: Ino, toPosition: number, length: number, caller: Caller): number {
    return this.#data.copyRange(from, fromPosition, to, toPosition, length, modeAfterChangeBy(caller), caller);
  }

  // ── Extended attributes ──────────────────────────────────────────────────────────────────────────────────────────────

  findExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array | undefined {
    return this.#xattrs.find(ino, name);
  }

  getExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array {
    const value = this.#xattrs.find(ino, name);
    if (value === undefined) throw ENODATA;
    return value;
  }

  setExtendedAttribute(
    ino: Ino,
    name: Uint8Array,
    value: Uint8Array,
    flags: number,
    killSetgid: boolean,
    caller: Caller,
  ): void {
    this.#xattrs.set(ino, name, value, flags, killSetgid, caller);
  }

  listExtendedAttributes(ino: Ino): Uint8Array[] {
    return this.#xattrs.list(ino);
  }

  removeExtendedAttribute(ino: Ino, name: Uint8Array, caller: Caller): void {
    this.#xattrs.remove(ino, name, caller);
  }

  // ── Durability ───────────────────────────────────────────────────────────────────────────────────────────────────────

  sync(ino: Ino): Promise<void> {
    return this.#volume.commit(this.#blobsToSync(ino));
  }

  syncAtOnce(ino: Ino): boolean {
    return this.#volume.commitAtOnce(this.#blobsToSync(ino));
  }

  #blobsToSync(ino: Ino): BlobId[] {
    const inode = load(this.#volume, ino, this.#inode);
    const blob = isDirectory(inode.mode) ? undefined : this.#data.blobOf(ino);
    return blob === undefined ? [] : [blob];
  }

  syncDirectory(ino: Ino): Promise<void> {
    load(this.#volume, ino, this.#inode);
    return this.#volume.commit([]);
  }

  get isSync(): boolean {
    return this.#sync || this.#volume.isSync;
  }

  pendingCommit(isLone = false): Promise<void> | undefined {
    return this.#volume.pendingCommit(this.#sync, isLone);
  }

  wasApplied(request: number): boolean {
    return this.#volume.wasApplied(request);
  }

  /**
   * The host's figures, since the store shares its space, within what quotas leave. Inodes are the volume's own, and what the host can
   * still make.
   */
  statistics(ino: Ino, out: FileSystemStatistics): void {
    const host = this.#volume.disk.statistics();
    out.blockSize = host.blockSize;
    out.blocks = host.blocks;
    out.blocksFree = host.blocksFree;
    out.blocksAvailable = host.blocksAvailable;
    out.files = this.#volume.state.dataset.inodes + host.filesFree;
    out.filesFree = host.filesFree;
    out.nameLengthMax = NAME_BYTES_MAX;
    narrowToQuotas(this.#volume.state, load(this.#volume, ino, this.#inode).quotaGroup, out);
  }
}
