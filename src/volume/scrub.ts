/**
 * A scrub: reads all of a mounted store in the background and checks what can be checked, so that damage is found while there still
 * is a backup.
 *
 * Covered are the pages of the catalog and of the trees of all volumes and snapshots (checksum, structure, place), every string and
 * every small file (checksum, owner), and that the blobs of large files exist and can be read to their end. Blobs have no checksums.
 * What trees share is read once. The next file is looked up afresh after each step, so that what changes meanwhile is met in one of
 * its states; what is written while the scrub runs may be left out.
 */
import { setTimeout } from 'node:timers/promises';
import { CorruptionError } from '../errors/corruption.js';
import { DiskError } from '../store/disk.js';
import { type Address, asAddress, asBlobId, asIno, type BlobId, type PageNumber } from '../store/units.js';
import { joinWords, KEY_WORDS } from '../tree/key.js';
import { type KeyWords, LeafScan } from '../tree/leaf-scan.js';
import { countOf, leafSlot } from '../tree/page.js';
import type { Tree } from '../tree/tree.js';
import { MAIN_NAME } from './dataset.js';
import { Inode } from './inode.js';
import { KIND_INODE } from './items.js';
import { visitRecords } from './leaf-records.js';
import type { StoreState } from './state.js';

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
  /** From 0 to 1: how far through the trees, and the inode numbers of the present one, it is. */
  readonly progress: number;
  readonly bytes: number;
  /** Inode records that were read. */
  readonly inodes: number;
  readonly problems: number;
  /** The first of them. */
  readonly findings: readonly ScrubFinding[];
  readonly milliseconds: number;
}

/** What is scrubbed as a tree by itself: the catalog, or a volume or snapshot that may be destroyed meanwhile. */
interface ScrubbedTree {
  /** Comes before what a finding is about. */
  readonly prefix: string;
  /** Undefined when it is gone. */
  readonly tree: () => Tree | undefined;
}

/** An item by its key, and the blob that it points to. */
interface BlobUse {
  readonly object: number;
  readonly kind: number;
  readonly minor: number;
  readonly blob: BlobId;
}

export class Scrub {
  readonly #state: StoreState;
  readonly #bytesPerSecond: number;
  readonly #scan: LeafScan;
  readonly #inode = new Inode();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  /** Blobs that have been read and that more than one leaf points to. */
  readonly #sharedBlobs = new Set<BlobId>();
  readonly #startedMs = performance.now();
  readonly #findings: ScrubFinding[] = [];
  /** Resolves when the scrub is over. It never rejects. */
  readonly ended: Promise<void>;
  #endedMs = 0;
  #isStopped = false;
  #sliceMs = performance.now();
  #treesDone = 0;
  #trees = 1;
  #object = 0;
  #inodes = 0;
  #problems = 0;
  #dataBytes = 0;

  /** Begins a scrub that reads at most so many bytes a second; Infinity for no limit. */
  constructor(state: StoreState, bytesPerSecond: number) {
    this.#state = state;
    this.#bytesPerSecond = bytesPerSecond;
    this.#scan = new LeafScan(state.pages);
    this.ended = this.#run().then(() => {
      this.#endedMs = performance.now();
    });
  }

  status(): ScrubStatus {
    const isOver = this.#endedMs > 0;
    const state = isOver ? (this.#isStopped ? 'stopped' : 'done') : 'running';
    return {
      state,
      progress: state === 'done' ? 1 : this.#progress,
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

  get #progress(): number {
    return (this.#treesDone + Math.min(1, this.#object / this.#state.counters.nextIno)) / this.#trees;
  }

  async #run(): Promise<void> {
    const trees = this.#treesToScrub();
    this.#trees = trees.length;
    for (const tree of trees) {
      this.#object = 0;
      await this.#scrubTree(tree);
      this.#treesDone++;
    }
  }

  /** Volumes come before their snapshots: what is damaged in both is found in the volume. */
  #treesToScrub(): ScrubbedTree[] {
    const state = this.#state;
    const { catalog } = state;
    const { volumes } = catalog;
    const snapshots = volumes.flatMap(({ id }) => catalog.snapshots(id));
    const trees = [...volumes, ...snapshots].map(({ id, type, name, volume }) => {
      const fullName = type === 'volume' ? name : `${catalog.get(volume)?.name}@${name}`;
      const tree = (): Tree | undefined => {
        const dataset = catalog.get(id);
        return dataset === undefined ? undefined : state.volumeOf(dataset).tree;
      };
      return { prefix: name === MAIN_NAME && type === 'volume' ? '' : `${fullName}: `, tree };
    });
    return [...trees, { prefix: 'catalog: ', tree: () => catalog.tree }];
  }

  async #scrubTree(scrubbed: ScrubbedTree): Promise<void> {
    let from: KeyWords | undefined = new Uint32Array(KEY_WORDS);
    while (from !== undefined && !this.#isStopped) {
      const tree = scrubbed.tree();
      if (tree === undefined) return;
      const { page, isKnown, problem, next } = this.#scan.step(tree.root, from);
      if (problem !== '') this.#report(`page ${page}`, problem, 0);
      else if (!isKnown) for (const use of this.#checkLeaf(scrubbed, page)) await this.#readBlob(scrubbed, use);
      this.#scan.forget(page);
      from = next;
      await this.#pace();
    }
  }

  #report(where: string, problem: string, ino: number): void {
    this.#problems++;
    if (this.#findings.length < FINDINGS_KEPT_MAX) this.#findings.push({ where, problem, ino });
  }

  /** Checks what the items of a leaf point to. Returns the blobs that are to be read. */
  #checkLeaf(scrubbed: ScrubbedTree, page: PageNumber): BlobUse[] {
    const { pages } = this.#state;
    const words = pages.words(page);
    const base = pages.base(page);
    const uses: BlobUse[] = [];
    for (let index = 0; index < countOf(words, base); index++) {
      const slot = leafSlot(base, index);
      const object = joinWords(words[slot], words[slot + 1]);
      const kind = words[slot + 2] >>> 24;
      const minor = joinWords(words[slot + 2] & 0xff_ffff, words[slot + 3]);
      const value = base + ((words[slot + KEY_WORDS] & 0xffff) >>> 2);
      this.#object = Math.max(this.#object, object);
      if (kind === KIND_INODE) this.#inodes++;
      visitRecords(words, kind, value, (record, number) => {
        if (record === 'blob') uses.push({ object, kind, minor, blob: asBlobId(number) });
        else this.#checkRecord(scrubbed, record, asAddress(number), object, kind, minor);
      });
    }
    return uses;
  }

  #checkRecord(
    { prefix, tree }: ScrubbedTree,
    record: 'string' | 'extent',
    address: Address,
    object: number,
    kind: number,
    minor: number,
  ): void {
    const { arena } = record === 'string' ? this.#state.strings : this.#state.packs;
    try {
      this.#dataBytes += arena.read(address).length;
      const owner = arena.owner(address);
      const isOwn = owner.object === object || this.#isTransplanted(tree(), object);
      if (isOwn && owner.kind === kind && owner.minor === minor) return;
      const problem = `what it points to at ${address} belongs to inode ${owner.object}`;
      this.#report(`${prefix}inode ${object}`, problem, object);
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error;
      this.#report(`${prefix}${error.where}`, error.problem, object);
    }
  }

  /** Whether the names and data of an inode may be records that were made for another. */
  #isTransplanted(tree: Tree | undefined, object: number): boolean {
    return tree !== undefined && this.#inode.load(tree, asIno(object)) && this.#inode.isTransplanted;
  }

  /** Reads what a blob has, but for its holes. The file that it is of may have changed or gone since its item was met. */
  async #readBlob(scrubbed: ScrubbedTree, use: BlobUse): Promise<void> {
    const { blob } = use;
    const { blobs, references } = this.#state;
    try {
      if (this.#sharedBlobs.has(blob) || !this.#isStillThere(scrubbed, use)) return;
      if (references.isShared('blob', blob)) this.#sharedBlobs.add(blob);
      let position = blobs.file(blob).seekData(0);
      while (position >= 0 && !this.#isStopped) {
        const from = position;
        const length = await blobs.use(blob, (file) => file.readInBackground(this.#piece, 0, PIECE_BYTES, from));
        this.#dataBytes += length;
        if (length < PIECE_BYTES) return;
        await this.#pace();
        position = blobs.file(blob).seekData(from + length);
      }
    } catch (error) {
      this.#reportBlob(scrubbed, use, error);
    }
  }

  #reportBlob(scrubbed: ScrubbedTree, use: BlobUse, error: unknown): void {
    try {
      if (!(error instanceof DiskError)) throw error;
      if (!this.#isStillThere(scrubbed, use)) return;
      this.#report(`${scrubbed.prefix}blob ${use.blob}`, error.message, use.object);
    } catch (damage) {
      if (!(damage instanceof CorruptionError)) throw damage;
      this.#report(`${scrubbed.prefix}${damage.where}`, damage.problem, use.object);
    }
  }

  /** Whether an item is there and points to the same blob. */
  #isStillThere(scrubbed: ScrubbedTree, { object, kind, minor, blob }: BlobUse): boolean {
    const tree = scrubbed.tree();
    if (tree === undefined || !tree.find(object, kind, minor)) return false;
    let isSame = false;
    visitRecords(tree.words, kind, tree.valueWord, (_, number) => {
      isSame = number === blob;
    });
    return isSame;
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
