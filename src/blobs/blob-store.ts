/**
 * Blobs: one host file for each file that is too large for a pack, with the data at its own offsets.
 *
 * A blob may be shorter than the file that it belongs to: what is missing reads as zeros. The number of a blob is never used
 * again, so that data can be kept until the checkpoint that no longer needs it is durable.
 *
 * Invariant: a blob is cut (truncated) only after the log record of that is durable (`settle`), so that a loss of power never
 * takes data away from a file whose truncation it also takes back.
 */
import type { Disk, DiskFile, FileBytes } from '../store/disk.js';
import { asBlobId, type BlobId } from '../store/units.js';

export const BLOBS_DIRECTORY = 'blobs';
/** Blobs with neighbouring numbers share a directory. */
const BLOBS_PER_DIRECTORY = 256;
const OPEN_FILES_MAX = 512;
/**
 * A file that is written in order is given to the disk in parts of this size, so that the device works while more data comes and a
 * sync finds little left to do. What is written in order is unlikely to be written again soon, and the next commit, seconds
 * later, would sync it anyway.
 */
const WRITEBACK_BYTES = 8 * 1024 * 1024;

const directoryOf = (id: number): string => `${BLOBS_DIRECTORY}/${Math.floor(id / BLOBS_PER_DIRECTORY).toString(16)}`;
export const blobPath = (id: BlobId): string => `${directoryOf(id)}/${id.toString(16)}`;

/** The size to which a blob is to be cut once the log is durable. Two cuts to the same size are two: each has its record. */
export interface PendingCut {
  readonly size: number;
}

export class BlobStore {
  readonly #disk: Disk;
  readonly #readOnly: boolean;
  /** Open files, the least recently used first. */
  readonly #open = new Map<BlobId, DiskFile>();
  readonly #directories = new Set<string>();
  /** Blobs with data or a name that may not be durable, and how many bytes were written since the last sync began. */
  readonly #dirty = new Map<BlobId, number>();
  /** Those among them that a record names which was logged after they were synced last: recovery will find it, and sync them. */
  readonly #logged = new Set<BlobId>();
  readonly #syncing = new Map<BlobId, Promise<void>>();
  readonly #newIn = new Map<BlobId, string>();
  /** Directories with removals that may not be durable. */
  readonly #removedFrom = new Set<string>();
  /** How many background operations use a blob's file: it stays open until they are done. */
  readonly #pins = new Map<BlobId, { readonly file: DiskFile; count: number }>();
  /** By unsynced blob: what was written last, in order and without gaps, and is not yet on its way to the device. */
  readonly #runs = new Map<BlobId, { start: number; end: number }>();
  readonly #pendingCuts = new Map<BlobId, PendingCut>();
  /** Blobs in which space was set aside for what is not written yet. */
  readonly #reserved = new Set<BlobId>();
  /** Blobs that were cut since they were last synced, and how often. */
  readonly #unsyncedCuts = new Map<BlobId, number>();

  constructor(disk: Disk, readOnly: boolean) {
    this.#disk = disk;
    this.#readOnly = readOnly;
  }

  /** Makes an empty blob; what an unfinished history left under its number is gone. */
  create(id: BlobId): void {
    const directory = directoryOf(id);
    if (!this.#directories.has(directory)) {
      this.#disk.makeDirectory(directory);
      this.#disk.syncDirectory(BLOBS_DIRECTORY);
      this.#directories.add(directory);
    }
    this.#keep(id, this.#disk.open(blobPath(id), 'create'));
    this.#newIn.set(id, directory);
    this.#noteUnsynced(id, 0);
  }

  /** Makes a blob that should exist but whose creation was lost. */
  ensure(id: BlobId): void {
    if (!this.#disk.exists(blobPath(id))) this.create(id);
  }

  /** A former process wrote to a blob, and may not have synced it or its name: the next sync does. */
  adopt(id: BlobId): void {
    this.#noteUnsynced(id, Number.POSITIVE_INFINITY);
    this.#newIn.set(id, directoryOf(id));
  }

  #keep(id: BlobId, file: DiskFile): void {
    // A number whose first use came to nothing is used again: its former descriptor would keep the space of the blob for ever.
    if (!this.#pins.has(id)) this.#open.get(id)?.close();
    if (this.#open.size >= OPEN_FILES_MAX) this.#closeOne();
    this.#open.set(id, file);
  }

  /** Closes the least recently opened file. One with unsynced data can be synced through another descriptor later. */
  #closeOne(): void {
    for (const [id, file] of this.#open) {
      if (this.#pins.has(id)) continue;
      file.close();
      this.#open.delete(id);
      return;
    }
  }

  /** Runs a background operation on a blob's file, which stays open meanwhile. */
  async use<Result>(id: BlobId, operation: (file: DiskFile) => Promise<Result>): Promise<Result> {
    const file = this.file(id);
    const pin = this.#pins.get(id) ?? { file, count: 0 };
    pin.count++;
    this.#pins.set(id, pin);
    try {
      return await operation(file);
    } finally {
      if (--pin.count === 0) {
        this.#pins.delete(id);
        if (this.#open.get(id) !== file) file.close();
      }
    }
  }

  /** The host file of a blob. Throws DiskError; ENOENT when the blob is missing. */
  file(id: BlobId): DiskFile {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const file = this.#disk.open(blobPath(id), this.#readOnly ? 'read' : 'write');
    this.#keep(id, file);
    return file;
  }

  write(id: BlobId, from: Uint8Array, offset: number, length: number, position: number): void {
    this.#noteUnsynced(id, length);
    const file = this.file(id);
    file.write(from, offset, length, position);
    this.#noteRun(id, file, position, position + length);
  }

  /** Once a good part of a blob has been written in order, the host begins to write that back. */
  #noteRun(id: BlobId, file: DiskFile, position: number, end: number): void {
    const run = this.#runs.get(id);
    if (run === undefined || run.end !== position) {
      this.#runs.set(id, { start: position, end });
      return;
    }
    run.end = end;
    if (end - run.start < WRITEBACK_BYTES) return;
    file.startWriteback(run.start, end - run.start);
    run.start = end;
  }

  /**
   * Takes a range over from the same place in another blob, as far as the host can without copying: see `DiskFile.cloneFrom`. The host
   * writes the source back first: while that has not been synced, it is not waited for. And where space was set aside for the
   * blob, a clone would give that away, and the writes that it was for could fail.
   */
  cloneFrom(id: BlobId, source: BlobId, range: FileBytes): FileBytes {
    if (this.isUnsynced(source) || this.#reserved.has(id)) return { from: range.to, to: range.to };
    this.#noteUnsynced(id, range.to - range.from);
    // Where many are open, to open one may close the other: not so with the one that was opened last.
    this.file(id);
    const from = this.file(source);
    return this.file(id).cloneFrom(from, range);
  }

  /**
   * Sets space aside for a range of a blob. The host keeps it for as long as the blob is there; that a clone would give it away is
   * known as long as this process lives. The host could not tell: XFS sets space aside of its own accord, behind what is written, and a
   * clone there is as it should be. Throws DiskError.
   */
  reserve(id: BlobId, position: number, length: number): void {
    this.#noteUnsynced(id, Number.POSITIVE_INFINITY);
    this.#reserved.add(id);
    this.file(id).reserve(position, length);
  }

  /** The blob is about to be changed through `file`. */
  touch(id: BlobId): void {
    this.#noteUnsynced(id, Number.POSITIVE_INFINITY);
  }

  #noteUnsynced(id: BlobId, bytes: number): void {
    this.#dirty.set(id, (this.#dirty.get(id) ?? 0) + bytes);
  }

  /** A record is logged that names a blob: until its next sync, recovery knows that the blob may have unsynced data. */
  noteLogged(id: BlobId): void {
    if (this.#dirty.has(id)) this.#logged.add(id);
  }

  /** Whether recovery would know that a blob may have unsynced data, so that what is written to it needs no record of its own. */
  isLogged(id: BlobId): boolean {
    return this.#logged.has(id);
  }

  #forgetUnsynced(id: BlobId): boolean {
    this.#logged.delete(id);
    return this.#dirty.delete(id);
  }

  /** Whether some of a blob's data may not be durable yet. */
  isUnsynced(id: BlobId): boolean {
    return this.#dirty.has(id) || this.#syncing.has(id);
  }

  /** At least as many bytes as a sync of the blob must wait for; infinite when that is not known. */
  unsyncedBytes(id: BlobId): number {
    return this.#syncing.has(id) ? Number.POSITIVE_INFINITY : (this.#dirty.get(id) ?? 0);
  }

  /** Blobs with data that may not be durable. */
  unsynced(): BlobId[] {
    return [...new Set([...this.#dirty.keys(), ...this.#syncing.keys()])];
  }

  /** Something may not be durable, or is yet to be cut. */
  get hasUnsynced(): boolean {
    return this.#dirty.size + this.#syncing.size + this.#pendingCuts.size > 0;
  }

  /** Makes the data of a blob, as it is now, and the blob's existence durable. */
  sync(id: BlobId): Promise<void> {
    const running = this.#syncing.get(id);
    if (!this.#forgetUnsynced(id)) return running ?? Promise.resolve();
    const sync = Promise.all([running, this.#syncFile(id)])
      .then(() => undefined)
      .finally(() => {
        if (this.#syncing.get(id) === sync) this.#syncing.delete(id);
      });
    this.#syncing.set(id, sync);
    return sync;
  }

  async #syncFile(id: BlobId): Promise<void> {
    this.#runs.delete(id);
    const cuts = this.#unsyncedCuts.get(id);
    await this.use(id, (file) => file.sync());
    if (this.#unsyncedCuts.get(id) === cuts) this.#unsyncedCuts.delete(id);
    const directory = this.#newIn.get(id);
    if (directory === undefined) return;
    this.#disk.syncDirectory(directory);
    this.#newIn.delete(id);
  }

  /** Makes the data of a blob, and the blob's existence, durable at once, whatever syncs are under way. A blob that is gone is fine. */
  syncNow(id: BlobId): void {
    if (!this.isUnsynced(id)) return;
    this.file(id).syncNow();
    const directory = this.#newIn.get(id);
    if (directory !== undefined) this.#disk.syncDirectory(directory);
    this.#forgetUnsynced(id);
    this.#runs.delete(id);
    this.#newIn.delete(id);
    this.#unsyncedCuts.delete(id);
  }

  /** Makes all data written so far durable. */
  async syncAll(): Promise<void> {
    await Promise.all(this.unsynced().map((id) => this.sync(id)));
  }

  // ── Cutting ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Remembers to cut a blob once the log is durable. A former process may have cut it already: the next sync covers that. */
  cutLater(id: BlobId, size: number): void {
    this.#noteUnsynced(id, 0);
    this.#pendingCuts.set(id, { size: Math.min(size, this.#pendingCuts.get(id)?.size ?? size) });
  }

  /** The log was replayed past a later growth of the blob, which had cut it first. */
  forgetCut(id: BlobId): void {
    this.#pendingCuts.delete(id);
  }

  /** Whether bytes that were cut off could come back if the blob, of `size` bytes as the log has it, grew now. */
  hasCutEnd(id: BlobId, size: number): boolean {
    return this.#unsyncedCuts.has(id) || this.file(id).size() > size;
  }

  /** The log is durable: cuts the blob now, durably, because its end is about to be written again. */
  cutNow(id: BlobId, size: number): void {
    const file = this.file(id);
    if (file.size() > size) file.truncate(size);
    file.syncNow();
    this.#pendingCuts.delete(id);
    this.#unsyncedCuts.delete(id);
  }

  /** The cuts that wait for the log as it is now. */
  pendingCuts(): ReadonlyMap<BlobId, PendingCut> {
    return new Map(this.#pendingCuts);
  }

  /**
   * The log is durable up to these cuts: makes those that still stand, at once, and then durable. A process that died in between would leave
   * nobody to know of a cut that a loss of power may take back.
   */
  async cutAll(cuts: ReadonlyMap<BlobId, PendingCut>): Promise<void> {
    const made: BlobId[] = [];
    for (const [id, cut] of cuts) {
      if (this.#pendingCuts.get(id) !== cut) continue;
      this.#pendingCuts.delete(id);
      const file = this.file(id);
      if (file.size() <= cut.size) continue;
      this.#noteUnsynced(id, 0);
      this.#unsyncedCuts.set(id, (this.#unsyncedCuts.get(id) ?? 0) + 1);
      file.truncate(cut.size);
      made.push(id);
    }
    await Promise.all(made.map((id) => this.sync(id)));
  }

  // ── Removing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * What was to be put into a new blob did not fit: if the blob was made, it goes, and so does what the host had allocated. Returns whether
   * it was made; its number must not be used again then (see `removeFrom`).
   */
  abandon(id: BlobId): boolean {
    const isMade = this.#open.has(id);
    if (isMade) this.remove(id);
    return isMade;
  }

  remove(id: BlobId): void {
    if (!this.#pins.has(id)) this.#open.get(id)?.close();
    this.#open.delete(id);
    this.#forgetUnsynced(id);
    this.#syncing.delete(id);
    this.#runs.delete(id);
    this.#reserved.delete(id);
    this.#newIn.delete(id);
    this.#pendingCuts.delete(id);
    this.#unsyncedCuts.delete(id);
    this.#disk.remove(blobPath(id));
    this.#removedFrom.add(directoryOf(id));
  }

  /** Makes one directory's removals durable; false when there are none left. */
  syncRemovals(): boolean {
    for (const directory of this.#removedFrom) {
      this.#disk.syncDirectory(directory);
      this.#removedFrom.delete(directory);
      return true;
    }
    return false;
  }

  /**
   * Removes the blobs from a number on, which no record names: those of a history that a power cut took back, and of changes that were not
   * logged. Returns the first number that none of them had. It is the one to go on with: under a number that is used again a loss of
   * power could bring the former blob back, and another file would have its bytes.
   */
  removeFrom(next: BlobId): BlobId {
    let unused = next;
    const first = Math.floor(next / BLOBS_PER_DIRECTORY);
    for (const directory of this.#disk.list(BLOBS_DIRECTORY)) {
      if (Number.parseInt(directory, 16) < first) continue;
      for (const name of this.#disk.list(`${BLOBS_DIRECTORY}/${directory}`)) {
        const id = asBlobId(Number.parseInt(name, 16));
        if (id < next) continue;
        this.remove(id);
        unused = asBlobId(Math.max(unused, id + 1));
      }
    }
    // Once later blobs are known, nobody would look for these.
    while (this.syncRemovals());
    return unused;
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}
