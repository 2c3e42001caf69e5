/**
 * The first pass of the repair of a tree: which inodes there will be, of which type, and what becomes of their data.
 *
 *   found                                             becomes
 *   a record, its data readable                       the same, with fields out of range put right
 *   no record, but entries, a target or data          a record anew: type as the items show, mode 0700 or 0600, owner root
 *   no record, nothing but extended attributes        nothing
 *   a symlink without a readable target               nothing
 *   small-file data with a wrong checksum             `damaged`: the bytes as found, out of its place, under /lost+found
 *   small-file data or a blob that is not there       `lost`: empty, out of its place, under /lost+found
 *   a blob that belongs to another inode              `lost`
 *   a part that cannot be, or whose blob is gone      `damaged`: zeros there, out of its place, under /lost+found
 *
 * So no file keeps its place with bytes that are not known to be its own, and none is filled with bytes that nobody wrote.
 */
import { SMALL_FILE_BYTES_MAX } from '../blobs/packs.js';
import { ROOT_INO } from '../store/units.js';
import { hasBlob, STORAGE_BLOB, STORAGE_NONE, STORAGE_PACK, STORAGE_PARTS } from '../volume/inode.js';
import {
  CHUNK_BYTES,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_PART,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  VOLUME_OBJECT,
} from '../volume/items.js';
import { isRegular, isSymlink, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../volume/mode.js';
import type { BlobLedger } from './blob-owners.js';
import { blobSize } from './blobs.js';
import { hasValidType, hintOf, INODE_WORDS, type InodeRecord, readRecord } from './inode-record.js';
import { InodeTable } from './inode-table.js';
import { extentProblem, type RecordOwnerRule, symlinkProblem, xattrProblem } from './item-rules.js';
import type { StoreUnderCheck } from './store-under-check.js';
import { itemKey, type SurvivingItem } from './surviving-items.js';

/** What is special about an inode that needs more than its counts put right. */
export interface InodeFate {
  /** It had no record. */
  readonly isNew: boolean;
  readonly mode: number;
  readonly storage: number;
  readonly blob: number;
  readonly size: number;
  /** It leaves its place. */
  readonly evicted: 'damaged' | 'lost' | undefined;
  /** Data that gets a new extent in place of the one there was. */
  readonly newExtent: Uint8Array | undefined;
}

interface CandidatePart {
  readonly blob: number;
  /** Chunks. */
  readonly first: number;
  readonly end: number;
}

interface Candidate {
  readonly ino: number;
  readonly words: Uint32Array;
  owner: RecordOwnerRule;
  hasRecord: boolean;
  hasEntries: boolean;
  xattrs: number;
  readonly parts: CandidatePart[];
  target: number | undefined;
  extentProblem: string | undefined;
  /** The extent's bytes, as far as there are any. */
  extent: Uint8Array | undefined;
}

const candidate = (ino: number): Candidate => ({
  ino,
  words: new Uint32Array(INODE_WORDS),
  // Without a record nobody knows whether it was transplanted.
  owner: 'transplanted',
  hasRecord: false,
  hasEntries: false,
  xattrs: 0,
  parts: [],
  target: undefined,
  extentProblem: undefined,
  extent: undefined,
});

export class InodeFates {
  readonly #store: StoreUnderCheck;
  readonly table = new InodeTable();
  /** By inode number; most inodes have no entry here. */
  readonly fates = new Map<number, InodeFate>();
  /** Extended attributes that stay, by index in the table. */
  readonly xattrs: number[] = [];
  /** Keys (`itemKey`) of items that go. */
  readonly dropped = new Set<string>();
  /** Inodes whose names and data may be records of another. */
  readonly transplanted = new Set<number>();
  readonly #blobs: BlobLedger;
  #current: Candidate | undefined;

  constructor(store: StoreUnderCheck, blobs: BlobLedger) {
    this.#store = store;
    this.#blobs = blobs;
  }

  /** Looks at all items, in key order. */
  decide(items: Iterable<SurvivingItem>): void {
    for (const { page, slot } of items) {
      const object = page.object(slot);
      if (object === VOLUME_OBJECT) continue;
      if (this.#current?.ino !== object) {
        this.#finish();
        if (this.table.length === 0 && object !== ROOT_INO) this.#addNewRoot();
        this.#current = candidate(object);
      }
      this.#take(this.#current!, { page, slot });
    }
    this.#finish();
    if (this.table.length === 0) this.#addNewRoot();
  }

  #take(current: Candidate, { page, slot }: SurvivingItem): void {
    const { packs, strings } = this.#store;
    switch (page.kind(slot)) {
      case KIND_INODE: {
        const at = page.valueWord(slot);
        current.words.set(page.words.subarray(at, at + INODE_WORDS));
        current.hasRecord = true;
        const { blob, isTransplanted } = readRecord(current.words, 0);
        if (!isTransplanted) current.owner = 'own';
        if (blob !== 0) this.#blobs.named.add(blob);
        break;
      }
      case KIND_XATTR:
        if (typeof xattrProblem(this.#store, page, slot, current.owner) === 'number') current.xattrs++;
        else this.dropped.add(itemKey(current.ino, KIND_XATTR, page.minor(slot)));
        break;
      case KIND_DIRENT:
        current.hasEntries = true;
        break;
      case KIND_SYMLINK:
        if (symlinkProblem(this.#store, page, slot, current.owner) === undefined)
          current.target = strings.payload.length;
        break;
      case KIND_PART: {
        const at = page.valueWord(slot);
        const end = page.minor(slot) + 1;
        const blob = readU64(page.words, at);
        current.parts.push({ blob, first: end - page.words[at + 2], end });
        this.#blobs.named.add(blob);
        break;
      }
      case KIND_EXTENT:
        current.extentProblem = extentProblem(this.#store, page, slot, current.owner);
        current.extent = packs.payload.slice(0, SMALL_FILE_BYTES_MAX);
        break;
    }
  }

  #addNewRoot(): void {
    const fate: InodeFate = { ...PLAIN, isNew: true, mode: S_IFDIR | 0o755 };
    this.fates.set(ROOT_INO, fate);
    this.table.add(ROOT_INO, fate.mode);
    this.xattrs.push(0);
  }

  #finish(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const mode = modeOf(current);
    if (mode === undefined || (isSymlink(mode) && current.target === undefined)) return;
    const fate = this.#fate(current, mode);
    if (isSpecial(current, fate)) this.fates.set(current.ino, fate);
    this.#keepBlobs(current, fate);
    if (current.owner === 'transplanted') this.transplanted.add(current.ino);
    this.table.add(current.ino, mode, hintOf(current.words, 0));
    this.xattrs.push(current.xattrs);
  }

  #fate(current: Candidate, mode: number): InodeFate {
    const record = readRecord(current.words, 0);
    const plain: InodeFate = { ...PLAIN, isNew: !current.hasRecord, mode };
    if (isSymlink(mode)) return { ...plain, size: current.target ?? 0 };
    if (!isRegular(mode)) return plain;
    const size = record.size <= Number.MAX_SAFE_INTEGER ? record.size : 0;
    if (!current.hasRecord) return extentFate(current, plain, current.extent?.length ?? 0);
    switch (record.storage) {
      case STORAGE_NONE:
        return { ...plain, size };
      case STORAGE_BLOB:
      case STORAGE_PARTS:
        return this.#blobFate(current, plain, record);
      default:
        return extentFate(current, plain, size);
    }
  }

  #blobFate(current: Candidate, plain: InodeFate, { blob, size, storage }: InodeRecord): InodeFate {
    const found = this.#usableSize(current, blob);
    if (found === undefined) return { ...plain, evicted: 'lost' };
    const isWhole = this.#dropParts(current, Math.ceil(size / CHUNK_BYTES));
    const hasParts = current.parts.length > 0;
    return {
      ...plain,
      storage: hasParts ? STORAGE_PARTS : STORAGE_BLOB,
      blob,
      size: size <= Number.MAX_SAFE_INTEGER ? size : found,
      evicted: isWhole && hasParts === (storage === STORAGE_PARTS) ? undefined : 'damaged',
    };
  }

  /** The size of a blob that can be read and is this inode's. */
  #usableSize({ ino, owner }: Candidate, blob: number): number | undefined {
    if (blob === 0 || blob > Number.MAX_SAFE_INTEGER) return undefined;
    if (owner === 'own' && this.#blobs.owners.claim(blob, ino) !== ino) return undefined;
    const size = blobSize(this.#store, blob);
    return typeof size === 'string' ? undefined : size;
  }

  /** Drops the parts that cannot be. Returns whether there are none. */
  #dropParts(current: Candidate, chunks: number): boolean {
    const parts = current.parts.splice(0);
    let before = 0;
    for (const part of parts) {
      const { blob, first, end } = part;
      const fits = first >= before && first < end && end <= chunks;
      if (fits && this.#usableSize(current, blob) !== undefined) {
        current.parts.push(part);
        before = end;
      } else this.dropped.add(itemKey(current.ino, KIND_PART, end - 1));
    }
    return current.parts.length === parts.length;
  }

  #keepBlobs(current: Candidate, fate: InodeFate): void {
    if (!hasBlob(fate.storage)) return;
    this.#blobs.used.add(fate.blob);
    for (const { blob } of current.parts) this.#blobs.used.add(blob);
  }
}

const PLAIN: InodeFate = {
  isNew: false,
  mode: 0,
  storage: STORAGE_NONE,
  blob: 0,
  size: 0,
  evicted: undefined,
  newExtent: undefined,
};

/** The mode that an inode will have; undefined when nothing shows what it was. */
function modeOf(current: Candidate): number | undefined {
  const mode = current.words[0];
  if (current.ino === ROOT_INO) return S_IFDIR | (current.hasRecord && hasValidType(mode) ? mode & 0o7777 : 0o755);
  if (current.hasRecord && hasValidType(mode)) return mode;
  const type = current.hasEntries
    ? S_IFDIR
    : current.target !== undefined
      ? S_IFLNK
      : current.extent !== undefined || current.hasRecord
        ? S_IFREG
        : undefined;
  return type === undefined ? undefined : type | (type === S_IFREG ? 0o600 : type === S_IFDIR ? 0o700 : 0o777);
}

function extentFate(current: Candidate, plain: InodeFate, size: number): InodeFate {
  const { extent, extentProblem: problem } = current;
  if (extent === undefined || (problem !== undefined && extent.length === 0)) return { ...plain, evicted: 'lost' };
  if (problem !== undefined) {
    const bytes = extent.slice(0, size);
    if (bytes.length === 0) return { ...plain, evicted: 'lost' };
    return { ...plain, evicted: 'damaged', storage: STORAGE_PACK, size: bytes.length, newExtent: bytes };
  }
  if (extent.length <= size) return { ...plain, storage: STORAGE_PACK, size };
  // What lies beyond the end is no part of the file.
  return { ...plain, storage: STORAGE_PACK, size, newExtent: extent.slice(0, size) };
}

/** Whether the record differs from the fate in more than counts. */
function isSpecial(current: Candidate, fate: InodeFate): boolean {
  const { mode, storage, blob, size } = readRecord(current.words, 0);
  return (
    fate.isNew ||
    fate.evicted !== undefined ||
    fate.newExtent !== undefined ||
    (mode & S_IFMT) !== (fate.mode & S_IFMT) ||
    mode !== fate.mode ||
    storage !== fate.storage ||
    blob !== fate.blob ||
    size !== fate.size ||
    (current.extent !== undefined && fate.storage !== STORAGE_PACK) ||
    (current.parts.length > 0 && fate.storage !== STORAGE_PARTS)
  );
}
