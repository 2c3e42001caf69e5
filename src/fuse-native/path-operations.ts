/**
 * The operations of libfuse, on paths and handles, done by those of the filesystem, on inode numbers. What they throw becomes an
 * errno in `answers.ts`.
 */
import { EOPNOTSUPP, ERANGE } from '../errors/errno.js';
import { ACCESS_ACL_XATTR, DEFAULT_ACL_XATTR } from '../filesystem/acl.js';
import { Attributes, S_IFREG } from '../filesystem/attributes.js';
import type { AttributeChanges, Caller, FileSystemOperations, FileSystemStatistics } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';
import { entryStat, statFsOf, statOf } from './attributes.js';
import { Handles } from './handles.js';
import type { Stat, StatFs } from './package.js';
import { nameBytes, Paths } from './paths.js';

const PERMISSIONS = 0o7777;
const NUL = Uint8Array.of(0);
const ACL_NAMES: ReadonlySet<string> = new Set([ACCESS_ACL_XATTR.toString(), DEFAULT_ACL_XATTR.toString()]);

export interface Listing {
  readonly names: string[];
  readonly stats: Stat[];
}

export class PathOperations {
  readonly #filesystem: FileSystemOperations;
  readonly #caller: Caller;
  readonly #attributes = new Attributes();
  readonly #paths: Paths;
  readonly #handles: Handles;

  /** `caller` is on whose behalf everything is done. */
  constructor(filesystem: FileSystemOperations, caller: Caller) {
    this.#filesystem = filesystem;
    this.#caller = caller;
    this.#paths = new Paths(filesystem);
    this.#handles = new Handles(filesystem);
  }

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  stat(path: string): Stat {
    this.#paths.find(path, this.#attributes);
    return statOf(this.#attributes);
  }

  setAttributes(path: string, changes: AttributeChanges): void {
    this.#filesystem.setAttributes(this.#paths.find(path), changes, this.#caller, this.#attributes);
  }

  readSymlink(path: string): string {
    return Buffer.from(this.#filesystem.readSymlink(this.#paths.find(path))).toString();
  }

  list(path: string): Listing {
    const names: string[] = [];
    const stats: Stat[] = [];
    this.#filesystem.readDirectory(this.#paths.find(path), 0, (name, ino, type) => {
      // Bytes that are not UTF-8 are shown as U+FFFD, and refused when they come back.
      names.push(Buffer.from(name).toString());
      stats.push(entryStat(ino, type));
      return true;
    });
    return { names, stats };
  }

  // ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  makeNode(path: string, mode: number, rdev: number): void {
    const { parent, name } = this.#paths.entry(path);
    this.#filesystem.makeNode(parent, name, mode, rdev, this.#caller, this.#attributes);
  }

  makeDirectory(path: string, mode: number): void {
    const { parent, name } = this.#paths.entry(path);
    this.#filesystem.makeDirectory(parent, name, mode & PERMISSIONS, this.#caller, this.#attributes);
  }

  makeSymlink(target: string, path: string): void {
    const { parent, name } = this.#paths.entry(path);
    this.#filesystem.makeSymlink(parent, name, nameBytes(target), this.#caller, this.#attributes);
  }

  link(path: string, newPath: string): void {
    const ino = this.#paths.find(path);
    const { parent, name } = this.#paths.entry(newPath);
    this.#filesystem.link(ino, parent, name, this.#caller, this.#attributes);
  }

  unlink(path: string): void {
    const { parent, name } = this.#paths.entry(path);
    const ino = this.#paths.find(path);
    this.#filesystem.unlink(parent, name, this.#caller);
    this.#nameGone(path, ino);
  }

  removeDirectory(path: string): void {
    const { parent, name } = this.#paths.entry(path);
    const ino = this.#paths.find(path);
    this.#filesystem.removeDirectory(parent, name, this.#caller);
    this.#nameGone(path, ino);
  }

  rename(path: string, newPath: string): void {
    const from = this.#paths.entry(path);
    const to = this.#paths.entry(newPath);
    const replaced = this.#paths.findIfThere(newPath);
    this.#filesystem.rename(from.parent, from.name, to.parent, to.name, 0, this.#caller);
    this.#paths.forget(path);
    if (replaced !== undefined) {
      this.#nameGone(newPath, replaced);
    }
  }

  #nameGone(path: string, ino: Ino): void {
    this.#paths.forget(path);
    this.#handles.unlinked(ino);
  }

  // ── Open files ───────────────────────────────────────────────────────────────────────────────────────────────────────

  create(path: string, mode: number): number {
    this.makeNode(path, S_IFREG | (mode & PERMISSIONS), 0);
    return this.#handles.open(this.#attributes.ino);
  }

  open(path: string): number {
    return this.#handles.open(this.#paths.find(path));
  }

  release(handle: number): void {
    this.#handles.release(handle);
  }

  read(handle: number, into: Buffer, length: number, position: number): number | Promise<number> {
    return this.#filesystem.read(this.#handles.file(handle), position, length, into, 0);
  }

  write(handle: number, from: Buffer, length: number, position: number): void {
    // The kernel takes setuid and capabilities away by requests of their own.
    this.#filesystem.write(this.#handles.file(handle), position, length, from, 0, false, this.#caller);
  }

  resize(handle: number, size: number): void {
    this.#filesystem.setAttributes(this.#handles.file(handle), { size }, this.#caller, this.#attributes);
  }

  sync(handle: number): Promise<void> {
    return this.#filesystem.sync(this.#handles.file(handle));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#filesystem.syncDirectory(this.#paths.find(path));
  }

  // ── Extended attributes ──────────────────────────────────────────────────────────────────────────────────────────────

  setExtendedAttribute(path: string, name: string, value: Buffer, flags: number): void {
    if (ACL_NAMES.has(name)) {
      // libfuse 2 does not ask the kernel to check them.
      throw EOPNOTSUPP;
    }
    const ino = this.#paths.find(path);
    this.#filesystem.setExtendedAttribute(ino, nameBytes(name), value, flags, false, this.#caller);
  }

  /** Returns the value's length, and fills `into` unless that is empty. Throws ERANGE. */
  getExtendedAttribute(path: string, name: string, into: Buffer): number {
    return fill(into, this.#filesystem.getExtendedAttribute(this.#paths.find(path), nameBytes(name)));
  }

  /** Returns the length of all names with their NULs, and fills `into` unless that is empty. Throws ERANGE. */
  listExtendedAttributes(path: string, into: Buffer): number {
    const names = this.#filesystem.listExtendedAttributes(this.#paths.find(path));
    return fill(into, Buffer.concat(names.flatMap((name) => [name, NUL])));
  }

  removeExtendedAttribute(path: string, name: string): void {
    this.#filesystem.removeExtendedAttribute(this.#paths.find(path), nameBytes(name), this.#caller);
  }

  // ── The file system ──────────────────────────────────────────────────────────────────────────────────────────────────

  statistics(path: string): StatFs {
    const statistics: FileSystemStatistics = {
      blockSize: 0,
      blocks: 0,
      blocksFree: 0,
      blocksAvailable: 0,
      files: 0,
      filesFree: 0,
      nameLengthMax: 0,
    };
    this.#filesystem.statistics(this.#paths.find(path), statistics);
    return statFsOf(statistics);
  }
}

function fill(into: Buffer, bytes: Uint8Array): number {
  if (into.length > 0) {
    if (bytes.length > into.length) {
      throw ERANGE;
    }
    into.set(bytes);
  }
  return bytes.length;
}
