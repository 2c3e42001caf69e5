/**
 * A disk in memory that remembers what is durable and what is only written, and can crash and fail.
 *
 * Two kinds of crash: the process dies (`afterProcessDeath`: all that was written is kept, and is as little durable as before), or
 * the power goes (`afterPowerLoss`: a `Fate` decides on every page, size and directory entry that was not synced).
 *
 * A background sync makes durable what was written when it was called. It takes effect when `completeSync` is called for it, so that
 * a test decides what happens meanwhile; what was written since may survive a crash too, which is the other extreme.
 *
 * `observe` is called before each operation that changes something: it may look at the disk, take crash images, or throw the
 * DiskError with which the operation fails.
 */
import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskStatistics,
  type FileBytes,
  type OpenMode,
  type SendResult,
} from '../../src/store/disk.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { type Fate, SimulatedInode, type SyncInProgress } from './simulated-inode.js';

export type DiskOperationKind =
  | 'create'
  | 'remove'
  | 'makeDirectory'
  | 'read'
  | 'write'
  | 'clone'
  /** A write or a clone has got no further than its first page. */
  | 'writing'
  | 'truncate'
  | 'allocate'
  | 'punch'
  | 'sync'
  | 'syncDirectory';

export interface DiskOperation {
  readonly kind: DiskOperationKind;
  readonly path: string;
  /** Bytes that are to be written, where the operation can be cut short: `write` then keeps only those. */
  keepBytes?: number;
}

const DIRECTORY = 'directory';
type Node = SimulatedInode | typeof DIRECTORY | undefined;

/** A name: what it durably leads to, and to what it has led since. */
interface Entry {
  durable: Node;
  since: Node[];
}

interface PendingSync {
  readonly path: string;
  readonly state: SyncInProgress;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const parentOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

export class SimulatedDisk implements Disk {
  observe: (operation: DiskOperation) => void = () => undefined;
  /** Whether ranges can be cloned, as on a host with reflinks. */
  hasReflinks = false;
  readonly #entries = new Map<string, Entry>();
  #pending: PendingSync[] = [];
  #isDead = false;

  // ── The disk as a store sees it ──────────────────────────────────────────────────────────────────────────────────────

  #node(path: string): Node {
    if (path === '') return DIRECTORY;
    const entry = this.#entries.get(path);
    return entry === undefined ? undefined : current(entry);
  }

  #set(path: string, node: Node): void {
    if (this.#node(parentOf(path)) !== DIRECTORY) throw new DiskError('ENOENT', 'open', path);
    const entry = this.#entries.get(path) ?? { durable: undefined, since: [] };
    entry.since.push(node);
    this.#entries.set(path, entry);
  }

  /** Announces an operation, which fails if the observer throws or the process is dead. */
  begin(operation: DiskOperation): void {
    this.checkAlive(operation.path);
    this.observe(operation);
  }

  checkAlive(path: string): void {
    if (this.#isDead) throw new DiskError('EIO', 'dead', path);
  }

  open(path: string, mode: OpenMode): DiskFile {
    this.checkAlive(path);
    let node = this.#node(path);
    if (node === DIRECTORY) throw new DiskError('EISDIR', 'open', path);
    if (mode === 'create') {
      this.begin({ kind: 'create', path });
      if (node === undefined) {
        node = new SimulatedInode();
        this.#set(path, node);
      } else {
        node.truncate(0);
      }
    }
    if (node === undefined) throw new DiskError('ENOENT', 'open', path);
    return new SimulatedFile(this, path, node);
  }

  exists(path: string): boolean {
    return this.#node(path) !== undefined;
  }

  list(path: string): string[] {
    if (this.#node(path) !== DIRECTORY) throw new DiskError('ENOENT', 'readdir', path);
    return [...this.#entries]
      .filter(([name, entry]) => name !== '' && parentOf(name) === path && current(entry) !== undefined)
      .map(([name]) => name.slice(name.lastIndexOf('/') + 1));
  }

  makeDirectory(path: string): void {
    if (this.#node(path) === DIRECTORY) return;
    this.begin({ kind: 'makeDirectory', path });
    this.#set(path, DIRECTORY);
  }

  remove(path: string): void {
    this.checkAlive(path);
    if (this.#node(path) === undefined) return;
    this.begin({ kind: 'remove', path });
    this.#set(path, undefined);
  }

  syncDirectory(path: string): void {
    this.begin({ kind: 'syncDirectory', path });
    for (const [name, entry] of this.#entries) {
      if (parentOf(name) !== path) continue;
      entry.durable = current(entry);
      entry.since = [];
    }
  }

  statistics(): DiskStatistics {
    return { blockSize: 4096, blocks: 1e6, blocksFree: 1e6, blocksAvailable: 1e6, files: 1e6, filesFree: 1e6 };
  }

  // ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  startSync(path: string, inode: SimulatedInode): Promise<void> {
    return new Promise((resolve, reject) => {
      this.checkAlive(path);
      this.#pending.push({ path, state: inode.beginSync(), resolve, reject });
    });
  }

  /** How many background syncs have begun and not completed. */
  get pendingSyncs(): number {
    return this.#pending.length;
  }

  /** Lets one of them complete, or fail if the observer says so. */
  completeSync(index: number): void {
    const [sync] = this.#pending.splice(index, 1);
    if (sync === undefined) throw new RangeError(`no pending sync ${index}`);
    try {
      this.begin({ kind: 'sync', path: sync.path });
      sync.state.inode.completeSync(sync.state);
      sync.resolve();
    } catch (error) {
      sync.reject(error);
    }
  }

  // ── Crashes and damage ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything that whoever still uses this disk tries will fail. */
  kill(): void {
    this.#isDead = true;
    for (const { path, reject } of this.#pending.splice(0)) reject(new DiskError('EIO', 'dead', path));
  }

  /** Gives back the memory of a disk that nobody uses any more. */
  dispose(): void {
    for (const inode of new Set(this.#inodes())) inode.dispose();
    this.#entries.clear();
  }

  /** Notes what mapped memory holds now as something that a loss of power may leave. */
  capture(): void {
    for (const inode of this.#inodes()) inode.capture();
  }

  *#inodes(): Generator<SimulatedInode> {
    for (const { durable, since } of this.#entries.values()) {
      for (const node of [durable, ...since]) if (node instanceof SimulatedInode) yield node;
    }
  }

  /** The disk as the next process on the same boot finds it. The present one stays as it is. */
  afterProcessDeath(): SimulatedDisk {
    this.capture();
    return this.#mapped((inode) => inode.copy());
  }

  #mapped(copyOf: (inode: SimulatedInode) => SimulatedInode): SimulatedDisk {
    const copies = new Map<SimulatedInode, SimulatedInode>();
    const map = (node: Node): Node => {
      if (!(node instanceof SimulatedInode)) return node;
      const copy = copies.get(node) ?? copyOf(node);
      copies.set(node, copy);
      return copy;
    };
    const disk = new SimulatedDisk();
    disk.hasReflinks = this.hasReflinks;
    for (const [path, { durable, since }] of this.#entries) {
      disk.#entries.set(path, { durable: map(durable), since: since.map(map) });
    }
    return disk;
  }

  /** The disk as another boot finds it. */
  afterPowerLoss(fate: Fate): SimulatedDisk {
    this.capture();
    const disk = this.#mapped((inode) => inode.afterPowerLoss(fate));
    for (const [path, entry] of disk.#entries) {
      const states = [entry.durable, ...entry.since];
      entry.durable = states.length === 1 ? states[0] : states[fate.entry(states.length)];
      entry.since = [];
      if (entry.durable === undefined) disk.#entries.delete(path);
    }
    for (let orphans = 1; orphans > 0; ) {
      orphans = 0;
      for (const path of disk.#entries.keys()) {
        if (disk.#node(parentOf(path)) === DIRECTORY) continue;
        disk.#entries.delete(path);
        orphans++;
      }
    }
    return disk;
  }

  /** Whether a loss of power could take anything away. */
  get hasUnsynced(): boolean {
    this.capture();
    return [...this.#entries.values()].some(
      ({ durable, since }) => since.length > 0 || (durable instanceof SimulatedInode && durable.hasUnsynced),
    );
  }

  /** Changes a file's bytes at rest. */
  damage(path: string, change: (bytes: Buffer) => void): void {
    const node = this.#node(path);
    if (!(node instanceof SimulatedInode)) throw new DiskError('ENOENT', 'open', path);
    node.damage(change);
  }

  /** All files, with their sizes. */
  files(): { readonly path: string; readonly size: number }[] {
    return [...this.#entries].flatMap(([path, entry]) => {
      const node = current(entry);
      return node instanceof SimulatedInode ? [{ path, size: node.size }] : [];
    });
  }
}

const current = (entry: Entry): Node => (entry.since.length > 0 ? entry.since.at(-1) : entry.durable);

class SimulatedFile implements DiskFile {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #inode: SimulatedInode;

  constructor(disk: SimulatedDisk, path: string, inode: SimulatedInode) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
  }

  size(): number {
    return this.#inode.size;
  }

  allocatedBytes(): number {
    return Math.ceil(this.#inode.size / 512) * 512;
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    this.#disk.begin({ kind: 'read', path: this.path });
    const count = Math.max(0, Math.min(length, this.#inode.size - position));
    if (count > 0) into.set(this.#inode.bytes().subarray(position, position + count), offset);
    return count;
  }

  readCached(into: Uint8Array, offset: number, length: number, position: number): number {
    return this.read(into, offset, length, position);
  }

  async readInBackground(into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.read(into, offset, length, position);
  }

  /** There is no device: whoever reads takes the data. */
  sendCached(): SendResult {
    return 'unfit';
  }

  async sendInBackground(): Promise<number> {
    throw new Error('nothing is mounted on a simulated disk');
  }

  write(from: Uint8Array, offset: number, length: number, position: number): void {
    const operation: DiskOperation = { kind: 'write', path: this.path };
    this.#disk.begin(operation);
    const kept = Math.min(length, operation.keepBytes ?? length);
    this.#put(from, offset, kept, position);
    if (kept < length) throw new DiskError('ENOSPC', 'pwrite', this.path);
  }

  /** A process that is killed stops between two pages: the other moments are before the write and after it. */
  #put(from: Uint8Array, offset: number, length: number, position: number): void {
    const first = Math.min(length, PAGE_SIZE - (position % PAGE_SIZE));
    this.#inode.write(from, offset, first, position);
    if (first === length) return;
    this.#disk.begin({ kind: 'writing', path: this.path });
    this.#inode.write(from, offset + first, length - first, position + first);
  }

  /**
   * What was cloned is as uncertain as what was written until this file is synced, each page for itself: a host may have done any part
   * of it, and what it clones may not have reached the device.
   */
  cloneFrom(source: DiskFile, { from, to }: FileBytes): FileBytes {
    const first = Math.ceil(from / PAGE_SIZE) * PAGE_SIZE;
    const end = Math.floor(Math.min(to, source.size()) / PAGE_SIZE) * PAGE_SIZE;
    if (!this.#disk.hasReflinks || !(source instanceof SimulatedFile) || end <= first) return { from: to, to };
    this.#disk.begin({ kind: 'clone', path: this.path });
    this.#put(source.#inode.bytes(), first, end - first, first);
    return { from: first, to: end };
  }

  truncate(size: number): void {
    this.#disk.begin({ kind: 'truncate', path: this.path });
    this.#inode.truncate(size);
  }

  allocate(position: number, length: number): void {
    this.#disk.begin({ kind: 'allocate', path: this.path });
    this.#inode.extend(position + length);
  }

  reserve(): void {
    this.#disk.begin({ kind: 'allocate', path: this.path });
  }

  punch(position: number, length: number): void {
    this.#disk.begin({ kind: 'punch', path: this.path });
    this.#inode.zero(position, Math.min(position + length, this.#inode.size));
  }

  seekData(position: number): number {
    return position < this.#inode.size ? position : -1;
  }

  seekHole(position: number): number {
    return position < this.#inode.size ? this.#inode.size : -1;
  }

  map(length: number): Uint8Array {
    this.#disk.checkAlive(this.path);
    return this.#inode.map(length);
  }

  /** What is written may reach the disk at any moment anyway. */
  startWriteback(): void {}

  sync(): Promise<void> {
    return this.#disk.startSync(this.path, this.#inode);
  }

  syncNow(): void {
    this.#disk.begin({ kind: 'sync', path: this.path });
    this.#inode.completeSync(this.#inode.beginSync());
  }

  close(): void {}
}
