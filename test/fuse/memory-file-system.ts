/**
 * A small filesystem in memory, for tests of the protocol: simple enough to be obviously right, and slow.
 */
import {
  EEXIST,
  EINVAL,
  EISDIR,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  ESTALE,
} from '../../src/errors/errno.js';
import {
  type Attributes,
  direntType,
  isDirectory,
  isRegular,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
} from '../../src/filesystem/attributes.js';
import {
  type AttributeChanges,
  type Caller,
  type DirectoryVisitor,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  type FileSystemOperations,
  type FileSystemStatistics,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  SEEK_DATA,
} from '../../src/filesystem/operations.js';
import { asIno, type Ino, ROOT_INO } from '../../src/store/units.js';
import { MemoryNode } from './memory-node.js';

const text = (name: Uint8Array): string => Buffer.from(name).toString('latin1');
const bytes = (name: string): Uint8Array => Buffer.from(name, 'latin1');

export class MemoryFileSystem implements FileSystemOperations {
  /** Every inode that has not been given up. */
  readonly nodes = new Map<Ino, MemoryNode>();
  /** Inodes that were given up, in order. */
  readonly forgotten: Ino[] = [];
  /** When set, the reply to each change waits for what it returns. */
  commit: (() => Promise<void>) | undefined;
  /** When set, reads wait for what it returns. */
  beforeRead: (() => Promise<void>) | undefined;
  /** Requests that an earlier process has applied. */
  readonly applied = new Set<number>();
  isSync = false;
  syncs = 0;
  #nextIno = 2;

  constructor() {
    this.#add(ROOT_INO, ROOT_INO, S_IFDIR | 0o755, 0, 0);
  }

  #add(ino: Ino, parent: Ino, mode: number, uid: number, gid: number): MemoryNode {
    const node = new MemoryNode(ino, parent, mode, uid, gid);
    this.nodes.set(ino, node);
    return node;
  }

  #node(ino: Ino): MemoryNode {
    const node = this.nodes.get(ino);
    if (node === undefined) {
      throw ESTALE;
    }
    return node;
  }

  #directory(ino: Ino): MemoryNode {
    const node = this.#node(ino);
    if (!isDirectory(node.attributes.mode)) {
      throw ENOTDIR;
    }
    return node;
  }

  #make(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): MemoryNode {
    const directory = this.#directory(parent);
    if (directory.entries.has(text(name))) {
      throw EEXIST;
    }
    const inheritsGroup = (directory.attributes.mode & S_ISGID) !== 0;
    const gid = inheritsGroup ? directory.attributes.gid : caller.gid;
    const inherited = inheritsGroup && isDirectory(mode) ? mode | S_ISGID : mode;
    const ino = asIno(this.#nextIno++);
    const node = this.#add(ino, parent, inherited, caller.uid, gid);
    directory.entries.set(text(name), ino);
    if (isDirectory(mode)) {
      directory.attributes.nlink++;
    }
    directory.touch('mtime', 'ctime');
    node.fill(out);
    return node;
  }

  #remove(directory: MemoryNode, name: string, node: MemoryNode): void {
    directory.entries.delete(name);
    node.attributes.nlink -= isDirectory(node.attributes.mode) ? 2 : 1;
    if (isDirectory(node.attributes.mode)) {
      directory.attributes.nlink--;
    }
    directory.touch('mtime', 'ctime');
    node.touch('ctime');
  }

  #child(parent: Ino, name: Uint8Array): MemoryNode {
    const ino = this.#directory(parent).entries.get(text(name));
    if (ino === undefined) {
      throw ENOENT;
    }
    return this.#node(ino);
  }

  find(parent: Ino, name: Uint8Array, out: Attributes): boolean {
    const { parent: above, entries } = this.#directory(parent);
    const asText = text(name);
    const ino = asText === '.' ? parent : asText === '..' ? above : entries.get(asText);
    if (ino !== undefined) this.#node(ino).fill(out);
    return ino !== undefined;
  }

  lookup(parent: Ino, name: Uint8Array, out: Attributes): void {
    if (!this.find(parent, name, out)) throw ENOENT;
  }

  forget(ino: Ino): void {
    const node = this.nodes.get(ino);
    if (node !== undefined && node.attributes.nlink === 0) {
      this.nodes.delete(ino);
      this.forgotten.push(ino);
    }
  }

  getAttributes(ino: Ino, out: Attributes): void {
    this.#node(ino).fill(out);
  }

  setAttributes(ino: Ino, changes: AttributeChanges, _caller: Caller, out: Attributes): void {
    const node = this.#node(ino);
    const { attributes } = node;
    attributes.uid = changes.uid ?? attributes.uid;
    attributes.gid = changes.gid ?? attributes.gid;
    if (changes.killPrivileges === true && isRegular(attributes.mode)) {
      node.killPrivileges();
    }
    if (changes.mode !== undefined) {
      attributes.mode = (attributes.mode & S_IFMT) | changes.mode;
    }
    if (changes.size !== undefined) {
      node.resize(changes.size);
      node.touch('mtime');
    }
    node.touch('ctime');
    node.setTime('atime', changes.atime);
    node.setTime('mtime', changes.mtime);
    node.setTime('ctime', changes.ctime);
    node.fill(out);
  }

  makeNode(parent: Ino, name: Uint8Array, mode: number, rdev: number, caller: Caller, out: Attributes): void {
    const node = this.#make(parent, name, mode & ~caller.umask, caller, out);
    node.attributes.rdev = rdev;
    out.rdev = rdev;
  }

  makeDirectory(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): void {
    this.#make(parent, name, S_IFDIR | (mode & ~caller.umask), caller, out);
  }

  makeSymlink(parent: Ino, name: Uint8Array, target: Uint8Array, caller: Caller, out: Attributes): void {
    const node = this.#make(parent, name, S_IFLNK | 0o777, caller, out);
    node.resize(target.length);
    node.data.set(target);
    node.fill(out);
  }

  makeTemporary(parent: Ino, mode: number, caller: Caller, out: Attributes): void {
    this.#directory(parent);
    const node = this.#add(asIno(this.#nextIno++), parent, S_IFREG | (mode & ~caller.umask), caller.uid, caller.gid);
    node.attributes.nlink = 0;
    node.fill(out);
  }

  readSymlink(ino: Ino): Uint8Array {
    const node = this.#node(ino);
    if ((node.attributes.mode & S_IFMT) !== S_IFLNK) {
      throw EINVAL;
    }
    return node.data;
  }

  link(ino: Ino, parent: Ino, name: Uint8Array, _caller: Caller, out: Attributes): void {
    const node = this.#node(ino);
    if (isDirectory(node.attributes.mode)) {
      throw EPERM;
    }
    const directory = this.#directory(parent);
    if (directory.entries.has(text(name))) {
      throw EEXIST;
    }
    directory.entries.set(text(name), ino);
    node.attributes.nlink++;
    node.touch('ctime');
    node.fill(out);
  }

  unlink(parent: Ino, name: Uint8Array, _caller: Caller): void {
    const node = this.#child(parent, name);
    if (isDirectory(node.attributes.mode)) {
      throw EISDIR;
    }
    this.#remove(this.#directory(parent), text(name), node);
  }

  removeDirectory(parent: Ino, name: Uint8Array): void {
    const node = this.#child(parent, name);
    if (!isDirectory(node.attributes.mode)) {
      throw ENOTDIR;
    }
    if (node.entries.size > 0) {
      throw ENOTEMPTY;
    }
    this.#remove(this.#directory(parent), text(name), node);
  }

  rename(parent: Ino, name: Uint8Array, toParent: Ino, toName: Uint8Array, flags: number): void {
    const from = this.#directory(parent);
    const to = this.#directory(toParent);
    const node = this.#child(parent, name);
    const targetIno = to.entries.get(text(toName));
    const target = targetIno === undefined ? undefined : this.#node(targetIno);
    if (flags !== 0 && flags !== RENAME_NOREPLACE && flags !== RENAME_EXCHANGE) {
      throw EINVAL;
    }
    if (flags === RENAME_EXCHANGE) {
      if (target === undefined) {
        throw ENOENT;
      }
      from.entries.set(text(name), target.attributes.ino);
      to.entries.set(text(toName), node.attributes.ino);
      target.parent = parent;
      node.parent = toParent;
      return;
    }
    if (target !== undefined) {
      if (flags === RENAME_NOREPLACE) {
        throw EEXIST;
      }
      if (target.entries.size > 0) {
        throw ENOTEMPTY;
      }
      this.#remove(to, text(toName), target);
    }
    from.entries.delete(text(name));
    to.entries.set(text(toName), node.attributes.ino);
    if (isDirectory(node.attributes.mode)) {
      from.attributes.nlink--;
      to.attributes.nlink++;
    }
    node.parent = toParent;
  }

  readDirectory(ino: Ino, cookie: number, visit: DirectoryVisitor): void {
    const directory = this.#directory(ino);
    const listing: [string, Ino][] = [['.', ino], ['..', directory.parent], ...directory.entries];
    for (let at = cookie; at < listing.length; at++) {
      const [name, child] = listing[at]!;
      const type = direntType(this.#node(child).attributes.mode);
      if (!visit(bytes(name), child, type, at + 1)) {
        return;
      }
    }
  }

  read(ino: Ino, position: number, length: number, into: Uint8Array, at: number): number | Promise<number> {
    const { data } = this.#node(ino);
    const copy = () => data.copy(into, at, Math.min(position, data.length), Math.min(position + length, data.length));
    return this.beforeRead === undefined ? copy() : this.beforeRead().then(copy);
  }

  write(
    ino: Ino,
    position: number,
    length: number,
    from: Uint8Array,
    at: number,
    killPrivileges: boolean,
    _caller: Caller,
  ): void {
    const node = this.#node(ino);
    if (position + length > node.data.length) {
      node.resize(position + length);
    }
    node.data.set(from.subarray(at, at + length), position);
    if (killPrivileges) {
      node.killPrivileges();
    }
    node.touch('mtime', 'ctime');
  }

  allocate(ino: Ino, mode: number, position: number, length: number): void {
    const node = this.#node(ino);
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) {
      throw EOPNOTSUPP;
    }
    if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0) {
      node.data.fill(0, position, position + length);
    } else if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && position + length > node.data.length) {
      node.resize(position + length);
    }
  }

  seek(ino: Ino, position: number, whence: number): number {
    const { length } = this.#node(ino).data;
    if (position >= length) {
      throw ENXIO;
    }
    return whence === SEEK_DATA ? position : length;
  }

  copyRange(from: Ino, fromPosition: number, to: Ino, toPosition: number, length: number, caller: Caller): number {
    const source = this.#node(from).data.subarray(fromPosition, fromPosition + length);
    this.write(to, toPosition, source.length, Buffer.from(source), 0, false, caller);
    return source.length;
  }

  findExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array | undefined {
    return this.#node(ino).xattrs.get(text(name));
  }

  getExtendedAttribute(ino: Ino, name: Uint8Array): Uint8Array {
    const value = this.findExtendedAttribute(ino, name);
    if (value === undefined) {
      throw ENODATA;
    }
    return value;
  }

  setExtendedAttribute(ino: Ino, name: Uint8Array, value: Uint8Array): void {
    if (value.length > 65_536) {
      throw ERANGE;
    }
    this.#node(ino).xattrs.set(text(name), Buffer.from(value));
  }

  listExtendedAttributes(ino: Ino): Uint8Array[] {
    return [...this.#node(ino).xattrs.keys()].map(bytes);
  }

  removeExtendedAttribute(ino: Ino, name: Uint8Array): void {
    if (!this.#node(ino).xattrs.delete(text(name))) {
      throw ENODATA;
    }
  }

  async sync(ino: Ino): Promise<void> {
    this.#node(ino);
    this.syncs++;
  }

  syncAtOnce(): boolean {
    return false;
  }

  async syncDirectory(ino: Ino): Promise<void> {
    this.#directory(ino);
    this.syncs++;
  }

  pendingCommit(): Promise<void> | undefined {
    return this.commit?.();
  }

  wasApplied(request: number): boolean {
    return this.applied.has(request);
  }

  statistics(_ino: Ino, out: FileSystemStatistics): void {
    Object.assign(out, {
      blockSize: 4096,
      blocks: 1000,
      blocksFree: 600,
      blocksAvailable: 500,
      files: 100,
      filesFree: 50,
      nameLengthMax: 255,
    });
  }
}
