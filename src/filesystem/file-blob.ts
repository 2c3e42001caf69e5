/**
 * The data of a file that has a blob: where each byte is, and what must be done before some are changed.
 *
 * Most files have all their data in one blob of their own. After a snapshot the blob is shared and stays as it is; the first change
 * gives the file a new one, and what is changed is taken over into that (volume/file-parts.ts).
 */
import { ENXIO } from '../errors/errno.js';
import type { DiskFile } from '../store/disk.js';
import { chunkOf, chunksTo, FileParts, type FileRange } from '../volume/file-parts.js';
import { type Inode, STORAGE_PARTS } from '../volume/inode.js';
import { CHUNK_BYTES } from '../volume/items.js';
import type { Volume } from '../volume/volume.js';
import { load } from './access.js';
import { type Caller, type Delivery, type ReadResult, SEEK_HOLE } from './operations.js';

export class FileBlob {
  readonly #volume: Volume;
  readonly #parts: FileParts;

  constructor(volume: Volume) {
    this.#volume = volume;
    this.#parts = new FileParts(volume.state);
  }

  // ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads `count` bytes that lie within the file. Returns `count`, or DELIVERED. */
  read(inode: Inode, position: number, count: number, into: Uint8Array, at: number, delivery?: Delivery): ReadResult {
    const { blobs } = this.#volume.state;
    const ranges = this.#parts.ranges(inode, position, position + count);
    if (delivery !== undefined && ranges.length === 1 && delivery.begin(count)) {
      const result = blobs.file(ranges[0].blob).sendCached(into, at, count, position, delivery.device);
      if (result === 'sent') return delivery.end(0);
      if (result === 'uncached') return this.#deliverUncached(ranges[0], into, at, delivery);
    }
    const uncached: FileRange[] = [];
    for (const range of ranges) {
      const start = at + range.from - position;
      const length = range.to - range.from;
      const got = blobs.file(range.blob).readCached(into, start, length, range.from);
      if (got < 0) uncached.push(range);
      else if (got < length) into.fill(0, start + got, start + length);
    }
    return uncached.length === 0 ? count : this.#readUncached(uncached, position, count, into, at);
  }

  async #deliverUncached(
    { blob, from, to }: FileRange,
    into: Uint8Array,
    at: number,
    delivery: Delivery,
  ): Promise<number> {
    const { blobs } = this.#volume.state;
    return delivery.end(
      await blobs.use(blob, (file) => file.sendInBackground(into, at, to - from, from, delivery.device)),
    );
  }

  async #readUncached(
    ranges: readonly FileRange[],
    position: number,
    count: number,
    into: Uint8Array,
    at: number,
  ): Promise<number> {
    const { blobs } = this.#volume.state;
    const reads = ranges.map(async ({ blob, from, to }) => {
      const start = at + from - position;
      const got = await blobs.use(blob, (file) => file.readInBackground(into, start, to - from, from));
      if (got < to - from) into.fill(0, start + got, start + to - from);
    });
    await Promise.all(reads);
    return count;
  }

  /** Reads at once a range that lies within the file. */
  readNow(inode: Inode, position: number, into: Uint8Array): void {
    for (const { blob, from, to } of this.#parts.ranges(inode, position, position + into.length)) {
      const start = from - position;
      const got = this.#volume.state.blobs.file(blob).read(into, start, to - from, from);
      if (got < to - from) into.fill(0, start + got, start + to - from);
    }
  }

  /** lseek(2) with SEEK_DATA and SEEK_HOLE, from a position within the file. Throws ENXIO. */
  seek(inode: Inode, position: number, whence: number): number {
    for (const { blob, from, to } of this.#parts.ranges(inode, position, inode.size)) {
      const file = this.#volume.state.blobs.file(blob);
      const found = whence === SEEK_HOLE ? holeFrom(file, from) : file.seekData(from);
      if (found >= 0 && found < to) return found;
    }
    if (whence === SEEK_HOLE) return inode.size;
    throw ENXIO;
  }

  /** Bytes that the file takes on the host; what it shares with snapshots counts as whole. */
  allocatedBytes(inode: Inode): number {
    const own = this.#volume.state.blobs.file(inode.blob).allocatedBytes();
    if (inode.storage !== STORAGE_PARTS) return own;
    const shared = this.#parts.all(inode.ino).reduce((sum, { first, end }) => sum + (end - first) * CHUNK_BYTES, 0);
    return own + Math.min(shared, inode.size);
  }

  // ── Changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Gives the file a blob of its own, if a snapshot has the one that it has. Throws DiskError. */
  makeOwn(inode: Inode, caller: Caller): void {
    const volume = this.#volume;
    if (!volume.isShared(inode.ino, inode.blob)) return;
    const blob = volume.nextBlob;
    const { mode } = inode;
    volume.state.blobs.create(blob);
    volume.perform({ type: 'branchBlob', ino: inode.ino, blob }, caller.request);
    load(volume, inode.ino, inode).mode = mode;
  }

  /**
   * Makes the file ready to grow, or to be cut at `size`. What lies in the blob beyond the file's end was cut off, or never became
   * part of it: it must not come back when the file grows, and the cut is made durable first, so that a loss of power cannot bring
   * the old bytes back under the new size. The same holds for a blob that is shared: the chunk that holds the end is taken over.
   */
  prepareResize(inode: Inode, size: number, caller: Caller): void {
    this.makeOwn(inode, caller);
    const { blob, ino } = inode;
    if (size > inode.size && this.#volume.state.blobs.hasCutEnd(blob, inode.size))
      this.#volume.cutNow(blob, inode.size);
    const end = Math.min(size, inode.size);
    if (inode.storage !== STORAGE_PARTS || end % CHUNK_BYTES === 0) return;
    const chunk = chunkOf(end);
    if (this.#parts.within(ino, chunk, chunk + 1).length === 0) return;
    this.#takeOver(inode, chunk * CHUNK_BYTES, end);
    this.#volume.perform({ type: 'takeChunks', ino, blob, first: chunk, end: chunk + 1 }, caller.request);
  }

  /**
   * Makes a range ready to be written into the own blob as a whole. What else is in its first and last chunk is taken over there. Returns
   * what is to be called once the range has been written: until then the file keeps what it has.
   */
  prepareWrite(inode: Inode, position: number, end: number, caller: Caller): () => void {
    if (inode.storage !== STORAGE_PARTS) return () => undefined;
    const { ino, blob } = inode;
    const [first, last] = [chunkOf(position), chunksTo(end)];
    const isPart = (chunk: number): boolean => this.#parts.within(ino, chunk, chunk + 1).length > 0;
    if (this.#parts.within(ino, first, last).length === 0) return () => undefined;
    if (isPart(first)) this.#takeOver(inode, first * CHUNK_BYTES, Math.min(position, inode.size));
    if (isPart(last - 1)) this.#takeOver(inode, end, Math.min(last * CHUNK_BYTES, inode.size));
    return () => this.#volume.perform({ type: 'takeChunks', ino, blob, first, end: last }, caller.request);
  }

  /**
   * Takes a range, of less than a chunk, over from the blob of its part into the own blob: whole blocks as a clone where the host has
   * such (reflinks), and the rest as a copy.
   *
   * The chunk is the unit with reflinks too, although the host could clone the whole blob when the file is branched. The parts
   * are what tells a diff, an incremental stream and a snapshot's own space what has changed: without them a file would count as
   * different from end to end after its first byte was. And the host's work for a clone grows with the extents of what is cloned,
   * which for a large old file would hold up every other request.
   */
  #takeOver(inode: Inode, from: number, to: number): void {
    if (to <= from) return;
    const [{ blob }] = this.#parts.ranges(inode, from, to);
    const cloned = this.#volume.state.blobs.cloneFrom(inode.blob, blob, { from, to });
    this.#copyToOwn(inode, from, cloned.from);
    this.#copyToOwn(inode, cloned.to, to);
  }

  #copyToOwn(inode: Inode, from: number, to: number): void {
    if (to <= from) return;
    const bytes = new Uint8Array(to - from);
    this.readNow(inode, from, bytes);
    this.#volume.state.blobs.write(inode.blob, bytes, 0, bytes.length, from);
  }
}

/** Past the end of a blob everything is a hole. */
function holeFrom(file: DiskFile, position: number): number {
  const hole = file.seekHole(position);
  return hole < 0 ? position : hole;
}
