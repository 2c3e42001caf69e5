/**
 * What a mount shows: the files of a volume, and those of its snapshots under `/.razorfs/snapshots/NAME`.
 *
 * A transport knows files by node numbers (views.ts). Each snapshot is a view, by its dataset number. The volume itself has one too,
 * which changes when it is rolled back: programs that have files of the replaced state open then get ESTALE, and the kernel's caches
 * know nothing of the new one. The volume's root is node 1 in any view. Node numbers can be resolved by any process that opens the
 * store, as long as the tree is there.
 */
import { EACCES, EEXIST, EISDIR, ENODATA, ENOENT, ENOTDIR, EROFS, ESTALE, EXDEV } from '../errors/errno.js';
import { asIno, type DatasetId, type Ino, ROOT_INO } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import type { Store } from '../volume/store.js';
import type { Attributes } from './attributes.js';
import { CONTROL_DIRECTORY, CONTROL_NAME, ControlDirectories, isControlDirectory } from './control-directories.js';
import { FileSystem, type FileSystemOptions } from './filesystem.js';
import type {
  AttributeChanges,
  Caller,
  Delivery,
  DirectoryVisitor,
  FileSystemOperations,
  FileSystemStatistics,
  ReadResult,
} from './operations.js';
import { CONTROL_VIEW, INODES_MAX, viewNumber } from './views.js';

/** A tree that is shown. */
interface View {
  /** Node numbers less inode numbers. */
  readonly base: number;
  readonly filesystem: FileSystem;
  /** The snapshot's; undefined for the volume itself. */
  readonly name: string | undefined;
}

export class Namespace implements FileSystemOperations {
  readonly #store: Store;
  readonly #dataset: Dataset;
  readonly #filesystem: FileSystem;
  readonly #snapshots = new Map<DatasetId, View>();
  readonly #control: ControlDirectories;
  #shown: View;

  /** `dataset`: a volume of the store, or a snapshot, which is then shown by itself. */
  constructor(store: Store, dataset: Dataset, options: FileSystemOptions) {
    this.#store = store;
    this.#dataset = dataset;
    const isVolume = dataset.type === 'volume';
    const shown = isVolume ? store.volume(dataset.name) : store.snapshot(dataset);
    if (shown === undefined) throw new Error(`there is no volume ${dataset.name}`);
    this.#filesystem = new FileSystem(shown, { ...options, nodeOf: (ino) => this.nodeOf(ino) });
    this.#shown = this.#liveView();
    this.#control = new ControlDirectories({
      list: () => this.#datasets(),
      fillRoot: (out) => this.#filesystem.getAttributes(ROOT_INO, out),
      fillSnapshot: (snapshot, out) => this.#viewOf(snapshot).filesystem.getAttributes(ROOT_INO, out),
      nodeOfSnapshot: (snapshot) => this.#rootOf(snapshot),
    });
  }

  #rootOf(snapshot: Dataset): Ino {
    return this.#encode(this.#viewOf(snapshot), ROOT_INO);
  }

  #liveView(): View {
    return { base: viewNumber(this.#dataset.view) * INODES_MAX, filesystem: this.#filesystem, name: undefined };
  }

  /** The volume itself. When it has been rolled back, its files are new ones. */
  get #live(): View {
    if (this.#shown.base !== viewNumber(this.#dataset.view) * INODES_MAX) this.#shown = this.#liveView();
    return this.#shown;
  }

  /** The node by which transports know an inode of the volume. */
  nodeOf(ino: Ino): Ino {
    return this.#encode(this.#live, ino);
  }

  // ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #encode(view: View, ino: Ino): Ino {
    return ino === ROOT_INO && view === this.#live ? ROOT_INO : asIno(view.base + ino);
  }

  /** The view of a node. Throws ESTALE when its tree is gone, EACCES for the directories that show snapshots. */
  #view(node: Ino): View {
    const { base } = this.#live;
    if (node >= base && node < base + INODES_MAX) return this.#live;
    return node === ROOT_INO ? this.#live : this.#otherView(Math.floor(node / INODES_MAX));
  }

  #otherView(number: number): View {
    if (number === CONTROL_VIEW) throw EACCES;
    const snapshot = this.#datasets().find(({ id }) => viewNumber(id) === number);
    if (snapshot === undefined) throw ESTALE;
    return this.#viewOf(snapshot);
  }

  #datasets(): readonly Dataset[] {
    return this.#dataset.type === 'volume' ? this.#store.state.catalog.snapshots(this.#dataset.id) : [];
  }

  #viewOf(snapshot: Dataset): View {
    const known = this.#snapshots.get(snapshot.id);
    if (known !== undefined) return known;
    const nodeOf = (ino: Ino): Ino => this.#encode(view, ino);
    const filesystem = new FileSystem(this.#store.snapshot(snapshot), { atime: 'noatime', nodeOf });
    const view: View = { base: viewNumber(snapshot.id) * INODES_MAX, filesystem, name: snapshot.name };
    this.#snapshots.set(snapshot.id, view);
    return view;
  }

  #ino(view: View, node: Ino): Ino {
    return node === ROOT_INO ? ROOT_INO : asIno(node - view.base);
  }

  /** The same of a node that must be in a certain view. Throws EXDEV. */
  #inoIn(view: View, node: Ino): Ino {
    if (isControlDirectory(node) || this.#view(node) !== view) throw EXDEV;
    return this.#ino(view, node);
  }

  // ── Inodes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  find(parent: Ino, name: Uint8Array, out: Attributes): boolean {
    if (parent === ROOT_INO && this.#dataset.type === 'volume' && CONTROL_NAME.equals(name)) {
      this.#control.fill(CONTROL_DIRECTORY, out);
      return true;
    }
    if (isControlDirectory(parent)) return this.#control.find(parent, name, out);
    const view = this.#view(parent);
    return view.filesystem.find(this.#ino(view, parent), name, out);
  }

  lookup(parent: Ino, name: Uint8Array, out: Attributes): void {
    if (!this.find(parent, name, out)) throw ENOENT;
  }

  forget(node: Ino): void {
    if (isControlDirectory(node)) return;
    const { base } = this.#live;
    // A tree that is not the present one has nothing to give up.
    if (node >= base && node < base + INODES_MAX) this.#filesystem.forget(asIno(node - base));
  }

  getAttributes(node: Ino, out: Attributes): void {
    if (isControlDirectory(node)) {
      this.#control.fill(node, out);
      return;
    }
    const view = this.#view(node);
    view.filesystem.getAttributes(this.#ino(view, node), out);
  }

  setAttributes(node: Ino, changes: AttributeChanges, caller: Caller, out: Attributes): void {
    const view = this.#writableView(node);
    view.filesystem.setAttributes(this.#ino(view, node), changes, caller, out);
  }

  // ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `/.razorfs` is there, whether or not it is listed. */
  #checkNewName(parent: Ino, name: Uint8Array): void {
    if (parent === ROOT_INO && this.#dataset.type === 'volume' && CONTROL_NAME.equals(name)) throw EEXIST;
  }

  makeNode(parent: Ino, name: Uint8Array, mode: number, rdev: number, caller: Caller, out: Attributes): void {
    this.#checkNewName(parent, name);
    const view = this.#writableView(parent);
    view.filesystem.makeNode(this.#ino(view, parent), name, mode, rdev, caller, out);
  }

  makeDirectory(parent: Ino, name: Uint8Array, mode: number, caller: Caller, out: Attributes): void {
    this.#checkNewName(parent, name);
    const view = this.#writableView(parent);
    view.filesystem.makeDirectory(this.#ino(view, parent), name, mode, caller, out);
  }

  makeSymlink(parent: Ino, name: Uint8Array, target: Uint8Array, caller: Caller, out: Attributes): void {
    this.#checkNewName(parent, name);
    const view = this.#writableView(parent);
    view.filesystem.makeSymlink(this.#ino(view, parent), name, target, caller, out);
  }

  makeTemporary(parent: Ino, mode: number, caller: Caller, out: Attributes): void {
    const view = this.#writableView(parent);
    view.filesystem.makeTemporary(this.#ino(view, parent), mode, caller, out);
  }

  readSymlink(node: Ino): Uint8Array {
    const view = this.#view(node);
    return view.filesystem.readSymlink(this.#ino(view, node));
  }

  link(node: Ino, parent: Ino, name: Uint8Array, caller: Caller, out: Attributes): void {
    this.#checkNewName(parent, name);
    const view = this.#writableView(parent);
    view.filesystem.link(this.#inoIn(view, node), this.#ino(view, parent), name, caller, out);
  }

  unlink(parent: Ino, name: Uint8Array, caller: Caller): void {
    const view = this.#writableView(parent);
    view.filesystem.unlink(this.#ino(view, parent), name, caller);
  }

  removeDirectory(parent: Ino, name: Uint8Array, caller: Caller): void {
    const view = this.#writableView(parent);
    view.filesystem.removeDirectory(this.#ino(view, parent), name, caller);
  }

  rename(parent: Ino, name: Uint8Array, toParent: Ino, toName: Uint8Array, flags: number, caller: Caller): void {
    this.#checkNewName(toParent, toName);
    const view = this.#writableView(parent);
    const to = this.#inoIn(view, toParent);
    view.filesystem.rename(this.#ino(view, parent), name, to, toName, flags, caller);
  }

  #writableView(node: Ino): View {
    if (isControlDirectory(node)) throw EROFS;
    return this.#view(node);
  }

  readDirectory(node: Ino, cookie: number, visit: DirectoryVisitor): void {
    if (isControlDirectory(node)) {
      this.#control.read(node, cookie, visit);
      return;
    }
    const view = this.#view(node);
    const shown: DirectoryVisitor = (name, ino, type, next) => visit(name, this.#encode(view, ino), type, next);
    view.filesystem.readDirectory(this.#ino(view, node), cookie, view.base === 0 ? visit : shown);
  }

  // ── Data ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  read(node: Ino, position: number, length: number, into: Uint8Array, at: number, delivery?: Delivery): ReadResult {
    if (isControlDirectory(node)) throw EISDIR;
    const view = this.#view(node);
    return view.filesystem.read(this.#ino(view, node), position, length, into, at, delivery);
  }

  write(
    node: Ino,
    position: number,
    length: number,
    from: Uint8Array,
    at: number,
    killPrivileges: boolean,
    caller: Caller,
    isTimed?: boolean,
  ): void {
    const view = this.#writableView(node);
    view.filesystem.write(this.#ino(view, node), position, length, from, at, killPrivileges, caller, isTimed);
  }

  allocate(node: Ino, mode: number, position: number, length: number, caller: Caller): void {
    const view = this.#writableView(node);
    view.filesystem.allocate(this.#ino(view, node), mode, position, length, caller);
  }

  seek(node: Ino, position: number, whence: number): number {
    const view = this.#writableView(node);
    return view.filesystem.seek(this.#ino(view, node), position, whence);
  }

  /** Between views callers read and write (copy_file_range(2), EXDEV). */
  copyRange(from: Ino, fromPosition: number, to: Ino, toPosition: number, length: number, caller: Caller): number {
    const view = this.#writableView(to);
    const source = this.#view(from);
    if (source !== view) throw EXDEV;
    const [fromIno, toIno] = [this.#ino(view, from), this.#ino(view, to)];
    return view.filesystem.copyRange(fromIno, fromPosition, toIno, toPosition, length, caller);
  }

  // ── Extended attributes ──────────────────────────────────────────────────────────────────────────────────────────────

  findExtendedAttribute(node: Ino, name: Uint8Array): Uint8Array | undefined {
    if (isControlDirectory(node)) return undefined;
    const view = this.#view(node);
    return view.filesystem.findExtendedAttribute(this.#ino(view, node), name);
  }

  getExtendedAttribute(node: Ino, name: Uint8Array): Uint8Array {
    const value = this.findExtendedAttribute(node, name);
    if (value === undefined) throw ENODATA;
    return value;
  }

  setExtendedAttribute(
    node: Ino,
    name: Uint8Array,
    value: Uint8Array,
    flags: number,
    killSetgid: boolean,
    caller: Caller,
  ): void {
    const view = this.#writableView(node);
    view.filesystem.setExtendedAttribute(this.#ino(view, node), name, value, flags, killSetgid, caller);
  }

  listExtendedAttributes(node: Ino): Uint8Array[] {
    if (isControlDirectory(node)) return [];
    const view = this.#view(node);
    return view.filesystem.listExtendedAttributes(this.#ino(view, node));
  }

  removeExtendedAttribute(node: Ino, name: Uint8Array, caller: Caller): void {
    const view = this.#writableView(node);
    view.filesystem.removeExtendedAttribute(this.#ino(view, node), name, caller);
  }

  // ── Durability ───────────────────────────────────────────────────────────────────────────────────────────────────────

  sync(node: Ino): Promise<void> {
    if (isControlDirectory(node)) throw ENOTDIR;
    const view = this.#view(node);
    return view.filesystem.sync(this.#ino(view, node));
  }

  syncAtOnce(node: Ino): boolean {
    if (isControlDirectory(node)) return false;
    const view = this.#view(node);
    return view.filesystem.syncAtOnce(this.#ino(view, node));
  }

  syncDirectory(node: Ino): Promise<void> {
    if (isControlDirectory(node)) return Promise.resolve();
    const view = this.#view(node);
    return view.filesystem.syncDirectory(this.#ino(view, node));
  }

  get isSync(): boolean {
    return this.#filesystem.isSync;
  }

  pendingCommit(isLone = false): Promise<void> | undefined {
    return this.#filesystem.pendingCommit(isLone);
  }

  wasApplied(request: number): boolean {
    return this.#filesystem.wasApplied(request);
  }

  statistics(node: Ino, out: FileSystemStatistics): void {
    const shown = isControlDirectory(node) ? ROOT_INO : node;
    const view = this.#view(shown);
    view.filesystem.statistics(this.#ino(view, shown), out);
  }
}
