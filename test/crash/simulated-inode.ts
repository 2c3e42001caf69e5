/**
 * A file of the simulated disk: its content now, what of it is durable, and what a loss of power may leave.
 *
 * The content is kept in pages of 4 KiB. Beside the durable version of a page stand the versions that it has had since: the host
 * may write a dirty page back at any moment, so a loss of power leaves any one of them, or a mix of two in sectors of 512 bytes. A
 * write makes a version of each page that it touches; for mapped memory, which changes without a call, one is noted whenever the
 * disk is looked at (`capture`).
 *
 * Sizes change in order (a host's journal keeps them so): a loss of power leaves a prefix of the changes since the last sync, and
 * a page version from after a cut that was lost does not survive it.
 */
import { PAGE_SIZE } from '../../src/store/geometry.js';

const SECTOR_BYTES = 512;
const CHUNK_PAGES = 16;
/** More versions of a page than this between two syncs add nothing: those in the middle are forgotten. */
const VERSIONS_MAX = 6;
const ZERO_CHUNK = Buffer.alloc(CHUNK_PAGES * PAGE_SIZE);
const ZERO_PAGE = ZERO_CHUNK.subarray(0, PAGE_SIZE);

/** The content of a page since a moment, never changed afterwards. */
interface PageVersion {
  readonly stamp: number;
  readonly bytes: Buffer;
}

interface SizeChange {
  readonly stamp: number;
  readonly size: number;
}

const ZERO_VERSION: PageVersion = { stamp: 0, bytes: ZERO_PAGE };

/** Decides what a loss of power leaves. */
export interface Fate {
  /** How many of `count` size changes took effect: 0 to `count`. */
  sizeChanges(count: number): number;
  /** Which of `count` versions of the file's page `index` is left; 0 is the durable one. */
  page(count: number, index: number): number;
  /** A bit for each of the page's 8 sectors that has the durable content in place of the version chosen; usually 0. */
  tornSectors(): number;
  /** Which of `count` states of a directory entry is left; 0 is the durable one. */
  entry(count: number): number;
}

/** A sync that has begun: what it will make durable. */
export interface SyncInProgress {
  readonly inode: SimulatedInode;
  readonly stamp: number;
  readonly pages: ReadonlyMap<number, PageVersion>;
  readonly size: number;
}

let clock = 0;

/** Buffers of maps that are no longer used, all zeros: making new ones is most of what a crash state costs otherwise. */
const spareBuffers = new Map<number, Buffer<ArrayBuffer>[]>();
const SPARE_BUFFERS_MAX = 16;

const zeroBuffer = (length: number): Buffer<ArrayBuffer> => spareBuffers.get(length)?.pop() ?? Buffer.alloc(length);

export class SimulatedInode {
  size = 0;
  #live = Buffer.alloc(0);
  #isMapped = false;
  /** Built from the versions when it is first needed. */
  #isLive = true;
  #durable = new Map<number, PageVersion>();
  #durableSize: SizeChange = { stamp: 0, size: 0 };
  #versions = new Map<number, PageVersion[]>();
  #sizeChanges: SizeChange[] = [];
  /** Pages written by calls since the last capture. */
  #written = new Set<number>();
  /** Chunks of a mapped file that have ever differed from zeros. */
  #chunksInUse = new Set<number>();

  // ── Content ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The bytes of the file, at least `length` of them; what is written to them counts as written to the file. */
  bytes(length = this.size): Buffer {
    this.#grow(length);
    return this.#live;
  }

  /** The same bytes as shared memory: from now on they are watched for changes. */
  map(length: number): Buffer {
    this.#grow(length);
    this.#isMapped = true;
    return this.#live.subarray(0, length);
  }

  /** Nobody uses the file any more, nor its map. */
  dispose(): void {
    const buffer = this.#live;
    this.#live = Buffer.alloc(0);
    const spare = spareBuffers.get(buffer.length) ?? [];
    if (!this.#isMapped || spare.length >= SPARE_BUFFERS_MAX) return;
    for (let start = 0; start < buffer.length; start += ZERO_CHUNK.length) {
      const end = Math.min(start + ZERO_CHUNK.length, buffer.length);
      if (buffer.compare(ZERO_CHUNK, 0, end - start, start, end) !== 0) buffer.fill(0, start, end);
    }
    spare.push(buffer);
    spareBuffers.set(buffer.length, spare);
  }

  #grow(length: number): void {
    if (!this.#isLive) this.#materialise(length);
    if (length <= this.#live.length) return;
    if (this.#isMapped) throw new Error('a mapped file outgrows its map');
    const larger = zeroBuffer(Math.ceil(Math.max(length, this.#live.length * 2) / PAGE_SIZE) * PAGE_SIZE);
    this.#live.copy(larger);
    this.#live = larger;
  }

  #materialise(length: number): void {
    this.#isLive = true;
    this.#live = zeroBuffer(Math.ceil(Math.max(length, this.size) / PAGE_SIZE) * PAGE_SIZE);
    for (const page of new Set([...this.#durable.keys(), ...this.#versions.keys()])) {
      const { bytes } = this.#newest(page);
      if (bytes !== ZERO_PAGE) bytes.copy(this.#live, page * PAGE_SIZE);
    }
  }

  write(from: Uint8Array, offset: number, length: number, position: number): void {
    const end = position + length;
    this.bytes(Math.max(end, this.size)).set(from.subarray(offset, offset + length), position);
    this.#markWritten(position, end);
    this.extend(end);
    this.#captureWritten();
  }

  #markWritten(position: number, end: number): void {
    for (let page = Math.floor(position / PAGE_SIZE); page * PAGE_SIZE < end; page++) this.#written.add(page);
  }

  /** Grows the size if it is less. */
  extend(size: number): void {
    if (size <= this.size) return;
    this.bytes(size);
    this.size = size;
    this.#sizeChanges.push({ stamp: ++clock, size });
  }

  truncate(size: number): void {
    if (size >= this.size) {
      this.extend(size);
      return;
    }
    this.capture();
    const before = this.size;
    this.size = size;
    this.#sizeChanges.push({ stamp: ++clock, size });
    this.bytes(before).fill(0, size, before);
    this.#markWritten(size, before);
  }

  zero(position: number, end: number): void {
    if (position >= end) return;
    this.bytes().fill(0, position, end);
    this.#markWritten(position, end);
  }

  /** Changes bytes behind everyone's back, durably, as a failing disk does. */
  damage(change: (bytes: Buffer) => void): void {
    change(this.bytes().subarray(0, this.size));
    for (let page = 0; page * PAGE_SIZE < this.size; page++) this.#written.add(page);
    this.completeSync(this.beginSync());
  }

  // ── Versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #newest(page: number): PageVersion {
    return this.#versions.get(page)?.at(-1) ?? this.#durable.get(page) ?? ZERO_VERSION;
  }

  /** Notes the present content as a version of each page that has changed. */
  capture(): void {
    if (!this.#isLive) return;
    this.#captureWritten();
    if (!this.#isMapped) return;
    const chunks = Math.ceil(this.#live.length / ZERO_CHUNK.length);
    for (let chunk = 0; chunk < chunks; chunk++) {
      const start = chunk * ZERO_CHUNK.length;
      const end = Math.min(start + ZERO_CHUNK.length, this.#live.length);
      if (!this.#chunksInUse.has(chunk)) {
        if (this.#live.compare(ZERO_CHUNK, 0, end - start, start, end) === 0) continue;
        this.#chunksInUse.add(chunk);
      }
      for (let page = start / PAGE_SIZE; page < end / PAGE_SIZE; page++) this.#capturePage(page);
    }
  }

  #captureWritten(): void {
    for (const page of this.#written) this.#capturePage(page);
    this.#written.clear();
  }

  #capturePage(page: number): void {
    const start = page * PAGE_SIZE;
    const newest = this.#newest(page);
    if (start >= this.#live.length) return;
    if (this.#live.compare(newest.bytes, 0, PAGE_SIZE, start, start + PAGE_SIZE) === 0) return;
    if (start >= Math.ceil(this.size / PAGE_SIZE) * PAGE_SIZE) {
      const isZero = this.#live.compare(ZERO_PAGE, 0, PAGE_SIZE, start, start + PAGE_SIZE) === 0;
      if (!isZero) throw new Error(`SIGBUS: byte ${start} of a mapped file was written, which has ${this.size}`);
    }
    const version = { stamp: ++clock, bytes: Buffer.from(this.#live.subarray(start, start + PAGE_SIZE)) };
    const versions = this.#versions.get(page);
    if (versions === undefined) this.#versions.set(page, [version]);
    else {
      if (versions.length >= VERSIONS_MAX) versions.splice(VERSIONS_MAX >> 1, 1);
      versions.push(version);
    }
  }

  get hasUnsynced(): boolean {
    return this.#versions.size > 0 || this.#sizeChanges.length > 0;
  }

  beginSync(): SyncInProgress {
    this.capture();
    const pages = new Map<number, PageVersion>();
    for (const [page, versions] of this.#versions) pages.set(page, versions.at(-1)!);
    return { inode: this, stamp: ++clock, pages, size: this.size };
  }

  /** What was written when the sync began is durable. */
  completeSync(sync: SyncInProgress): void {
    for (const [page, version] of sync.pages) {
      if (version.stamp <= (this.#durable.get(page) ?? ZERO_VERSION).stamp) continue;
      this.#durable.set(page, version);
      const later = (this.#versions.get(page) ?? []).filter(({ stamp }) => stamp > version.stamp);
      if (later.length > 0) this.#versions.set(page, later);
      else this.#versions.delete(page);
    }
    if (sync.stamp > this.#durableSize.stamp) {
      this.#durableSize = { stamp: sync.stamp, size: sync.size };
      this.#sizeChanges = this.#sizeChanges.filter(({ stamp }) => stamp > sync.stamp);
    }
  }

  // ── Crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A copy with the same content and the same doubts, as the death of the process leaves it. Call `capture` before. */
  copy(): SimulatedInode {
    const copy = new SimulatedInode();
    copy.size = this.size;
    copy.#isLive = false;
    copy.#durable = new Map(this.#durable);
    copy.#durableSize = this.#durableSize;
    for (const [page, versions] of this.#versions) copy.#versions.set(page, [...versions]);
    copy.#sizeChanges = [...this.#sizeChanges];
    copy.#chunksInUse = new Set(this.#chunksInUse);
    return copy;
  }

  /** What a loss of power leaves, all of it durable. */
  afterPowerLoss(fate: Fate): SimulatedInode {
    const left = new SimulatedInode();
    left.#isLive = false;
    left.#chunksInUse = new Set(this.#chunksInUse);
    const count = this.#sizeChanges.length;
    const effective = count === 0 ? 0 : fate.sizeChanges(count);
    const applied = this.#sizeChanges.slice(0, effective);
    const lost = this.#sizeChanges.slice(effective);
    left.size = applied.at(-1)?.size ?? this.#durableSize.size;
    left.#durableSize = { stamp: ++clock, size: left.size };
    left.#durable = new Map(this.#durable);
    const previous = (index: number): number =>
      index === 0 ? this.#durableSize.size : this.#sizeChanges[index - 1].size;
    const isCut = (change: SizeChange): boolean => change.size < previous(this.#sizeChanges.indexOf(change));
    const cuts = applied.filter(isCut);
    const firstLostCut = lost.find(isCut);
    for (const [page, versions] of this.#versions) {
      const durable = this.#durable.get(page) ?? ZERO_VERSION;
      const isPossible = ({ stamp }: PageVersion): boolean =>
        firstLostCut === undefined || stamp < firstLostCut.stamp || firstLostCut.size >= (page + 1) * PAGE_SIZE;
      const choices = [durable, ...versions.filter(isPossible)];
      const chosen = choices.length === 1 ? durable : choices[fate.page(choices.length, page)];
      const torn = chosen === durable ? 0 : fate.tornSectors();
      left.#durable.set(page, torn === 0 ? chosen : mix(chosen, durable, torn));
    }
    for (const [page, version] of left.#durable) {
      const later = cuts.filter(({ stamp }) => stamp > version.stamp).map(({ size }) => size);
      const end = Math.min(...later, left.size) - page * PAGE_SIZE;
      if (end <= 0) left.#durable.delete(page);
      else if (end < PAGE_SIZE) {
        const bytes = Buffer.from(version.bytes);
        bytes.fill(0, end);
        left.#durable.set(page, { stamp: version.stamp, bytes });
      }
    }
    return left;
  }
}

function mix(chosen: PageVersion, durable: PageVersion, tornSectors: number): PageVersion {
  const bytes = Buffer.from(chosen.bytes);
  for (let sector = 0; sector < PAGE_SIZE / SECTOR_BYTES; sector++) {
    const start = sector * SECTOR_BYTES;
    if ((tornSectors >>> sector) & 1) durable.bytes.copy(bytes, start, start, start + SECTOR_BYTES);
  }
  return { stamp: chosen.stamp, bytes };
}
