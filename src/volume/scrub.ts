/**
 * A scrub: reads all of a mounted store in the background and checks what can be checked, so that damage is found while there still
 * is a backup.
 *
 * Covered are the tree's pages (checksum, structure, place), every string and every small file (checksum, owner), and that the blobs
 * of large files exist and can be read to their end. Blobs have no checksums. The next file is looked up afresh after each step, so
 * that what changes meanwhile is met in one of its states.
 */
import { setTimeout } from 'node:timers/promises';
import { CorruptionError } from '../errors/corruption.js';
import type { Arena } from '../store/arena.js';
import { DiskError } from '../store/disk.js';
import { type Address, asAddress, asBlobId, asIno, type BlobId, type PageNumber } from '../store/units.js';
import { joinWords, KEY_WORDS } from '../tree/key.js';
import { type KeyWords, LeafScan } from '../tree/leaf-scan.js';
import { countOf, leafSlot } from '../tree/page.js';
import { hasBlob, Inode, STORAGE_MASK, STORAGE_WORD } from './inode.js';
import { KIND_DIRENT, KIND_EXTENT, KIND_INODE, KIND_SYMLINK, KIND_XATTR, readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** Blobs are read in pieces of this many bytes. */
const PIECE_BYTES = 1024 * 1024;
/** The time over which the rate is kept, in milliseconds: no longer than that does a scrub work without a pause. */
const SLICE_MS = 5;
/** More findings than this are counted but not kept. */
const FINDINGS_KEPT_MAX = 1000;

/** One piece of damage. `ino` is the inode concerned, 0 when that is not known. */
export interface ScrubFinding {
  readonly where: string;
  readonly problem: string;
  readonly ino: number;
}

export interface ScrubStatus {
  readonly state: 'running' | 'done' | 'stopped';
  /** From 0 to 1: how far through the inode numbers it is. */
  readonly progress: number;
  readonly bytes: number;
  readonly inodes: number;
  readonly problems: number;
  /** The first of them. */
  readonly findings: readonly ScrubFinding[];
  readonly milliseconds: number;
}

interface RecordPlace {
  readonly arena: Arena;
  readonly word: number;
}

export class Scrub {
  readonly #volume: VolumeState;
  readonly #bytesPerSecond: number;
  readonly #scan: LeafScan;
  readonly #inode = new Inode();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #places: ReadonlyMap<number, readonly RecordPlace[]>;
  readonly #startedMs = performance.now();
  readonly #findings: ScrubFinding[] = [];
  /** Resolves when the scrub is over. It never rejects. */
  readonly ended: Promise<void>;
  #endedMs = 0;
  #isStopped = false;
  #sliceMs = performance.now();
  #object = 0;
  #inodes = 0;
  #problems = 0;
  #dataBytes = 0;

  /** Begins a scrub that reads at most so many bytes a second; Infinity for no limit. */
  constructor(volume: VolumeState, bytesPerSecond: number) {
    this.#volume = volume;
    this.#bytesPerSecond = bytesPerSecond;
    this.#scan = new LeafScan(volume.pages);
    const strings = volume.strings.arena;
    this.#places = new Map([
      [KIND_DIRENT, [{ arena: strings, word: 2 }]],
      [
        KIND_XATTR,
        [
          { arena: strings, word: 0 },
          { arena: strings, word: 2 },
        ],
      ],
      [KIND_SYMLINK, [{ arena: strings, word: 0 }]],
      [KIND_EXTENT, [{ arena: volume.packs.arena, word: 0 }]],
    ]);
    this.ended = this.#run().then(() => {
      this.#endedMs = performance.now();
    });
  }

  status(): ScrubStatus {
    const isOver = this.#endedMs > 0;
    const state = isOver ? (this.#isStopped ? 'stopped' : 'done') : 'running';
    return {
      state,
      progress: state === 'done' ? 1 : Math.min(1, this.#object / this.#volume.store.counters.nextIno),
      bytes: this.#bytes,
      inodes: this.#inodes,
      problems: this.#problems,
      findings: this.#findings,
      milliseconds: (isOver ? this.#endedMs : performance.now()) - this.#startedMs,
    };
  }

  stop(): void {
    this.#isStopped = true;
  }

  get #bytes(): number {
    return this.#scan.bytes + this.#dataBytes;
  }

  async #run(): Promise<void> {
    let from: KeyWords | undefined = new Uint32Array(KEY_WORDS);
    while (from !== undefined && !this.#isStopped) {
      const { page, problem, next } = this.#scan.step(this.#volume.tree.root, from);
      if (problem !== '') this.#report(`page ${page}`, problem, 0);
      else for (const blob of this.#checkLeaf(page)) await this.#readBlob(blob);
      this.#scan.forget(page);
      from = next;
      await this.#pace();
    }
  }

  #report(where: string, problem: string, ino: number): void {
    this.#problems++;
    if (this.#findings.length < FINDINGS_KEPT_MAX) this.#findings.push({ where, problem, ino });
  }

  /** Checks what the items of a leaf point to. Returns the inodes whose blobs are to be read. */
  #checkLeaf(page: PageNumber): number[] {
    const { pages } = this.#volume;
    const words = pages.words(page);
    const base = pages.base(page);
    const withBlobs: number[] = [];
    for (let index = 0; index < countOf(words, base); index++) {
      const slot = leafSlot(base, index);
      const object = joinWords(words[slot], words[slot + 1]);
      const kind = words[slot + 2] >>> 24;
      const minor = joinWords(words[slot + 2] & 0xff_ffff, words[slot + 3]);
      const value = base + ((words[slot + KEY_WORDS] & 0xffff) >>> 2);
      this.#object = Math.max(this.#object, object);
      if (kind === KIND_INODE) {
        this.#inodes++;
        if (hasBlob(words[value + STORAGE_WORD] & STORAGE_MASK)) withBlobs.push(object);
      }
      for (const { arena, word } of this.#places.get(kind) ?? []) {
        this.#checkRecord(arena, asAddress(readU64(words, value + word)), object, kind, minor);
      }
    }
    return withBlobs;
  }

  #checkRecord(arena: Arena, address: Address, object: number, kind: number, minor: number): void {
    try {
      this.#dataBytes += arena.read(address).length;
      const owner = arena.owner(address);
      if (owner.object === object && owner.kind === kind && owner.minor === minor) return;
      this.#report(`inode ${object}`, `what it points to at ${address} belongs to inode ${owner.object}`, object);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.#report(error.where, error.problem, object);
    }
  }

  /** Reads a file's blob to its end. The file may have changed or gone since its inode was met. */
  async #readBlob(object: number): Promise<void> {
    const { tree, blobs } = this.#volume;
    if (!this.#inode.load(tree, asIno(object)) || !hasBlob(this.#inode.storage)) return;
    const blob = asBlobId(this.#inode.blob);
    try {
      for (let position = 0; !this.#isStopped; position += PIECE_BYTES) {
        const length = await blobs.use(blob, (file) => file.readInBackground(this.#piece, 0, PIECE_BYTES, position));
        this.#dataBytes += length;
        if (length < PIECE_BYTES) return;
        await this.#pace();
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (this.#isStillThere(object, blob)) this.#report(`blob ${blob}`, error.message, object);
    }
  }

  #isStillThere(object: number, blob: BlobId): boolean {
    return this.#inode.load(this.#volume.tree, asIno(object)) && this.#inode.blob === blob;
  }

  /** Lets others have their turn, and keeps to the rate. */
  async #pace(): Promise<void> {
    const nowMs = performance.now();
    const aheadMs = this.#startedMs + (this.#bytes / this.#bytesPerSecond) * 1000 - nowMs;
    if (aheadMs > 0) await setTimeout(aheadMs);
    else if (nowMs - this.#sliceMs > SLICE_MS) await setTimeout(1);
    else return;
    this.#sliceMs = performance.now();
  }
}
