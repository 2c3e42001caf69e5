/**
 * The pass over all items of a tree in key order, which have an inode's record, names and data side by side: each item is judged by
 * itself (item-rules.ts) and against the inode that it belongs to.
 *
 * The inodes of each tree are judged as a whole. What items point to, which takes most of the time, is read when the first tree
 * that has their leaf is passed over: a snapshot costs little beyond reading its leaves.
 */
import { ROOT_INO } from '../store/units.js';
import { hasBlob } from '../volume/inode.js';
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
import { isRegular } from '../volume/mode.js';
import { TURNS } from '../volume/name-hash.js';
import type { BlobCheck } from './blobs.js';
import type { ErrorSink, FindingCode } from './findings.js';
import { INODE_WORDS, readRecord } from './inode-record.js';
import { InodeRules, type SeenInode } from './inode-rules.js';
import {
  entryNameProblem,
  extentProblem,
  type RecordOwnerRule,
  shapeProblem,
  symlinkProblem,
  xattrProblem,
} from './item-rules.js';
import type { Page } from './page-reader.js';
import { Paths, printable } from './paths.js';
import { QuotaRules } from './quota-rules.js';
import type { RecordCensus } from './record-census.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';

/** What the passes over all trees of a store have in common. */
export interface SharedByPasses {
  readonly store: StoreUnderCheck;
  readonly census: RecordCensus;
  readonly blobs: BlobCheck;
  /** Leaves with items that point to something damaged: every tree that has them is told. */
  readonly damagedLeaves: Set<number>;
  /** Whether no tree before this one had a leaf. */
  readonly isNewLeaf: (page: number) => boolean;
}

/** The inode whose items are being looked at. */
interface CurrentInode extends SeenInode {
  /** The leaf with its record. */
  recordLeaf: number;
  owner: RecordOwnerRule;
  /** Where the part before ends, in chunks. */
  partsEnd: number;
  /** The hash of the entry that came last, and the entries that have it. */
  lastHash: number;
  sameHash: { readonly address: number; readonly minor: number }[];
}

export class InodePass {
  readonly #shared: SharedByPasses;
  readonly #survey: Survey;
  readonly #findings: ErrorSink;
  readonly #rules: InodeRules;
  readonly #paths: Paths;
  #current: CurrentInode | undefined;
  /** The record of the inode that is looked at. */
  readonly #words = new Uint32Array(INODE_WORDS);
  /** No tree before had the leaf that is looked at: what its items point to is counted. */
  #isNewLeaf = false;
  /** What the leaf's items point to is looked at. */
  #looksAtRecords = false;
  inoMax = 0;
  dataBytes = 0;
  readonly quotas = new QuotaRules();

  constructor(shared: SharedByPasses, survey: Survey, findings: ErrorSink) {
    this.#shared = shared;
    this.#survey = survey;
    this.#findings = findings;
    this.#paths = new Paths(survey.leaves, shared.store.strings, survey.table);
    this.#rules = new InodeRules(survey, findings, shared.blobs, this.#paths);
  }

  /** Judges the items of a leaf. Leaves come in key order; `finish` follows the last one. */
  leaf(page: Page): void {
    this.#isNewLeaf = this.#shared.isNewLeaf(page.number);
    this.#looksAtRecords = this.#isNewLeaf || this.#shared.damagedLeaves.has(page.number);
    for (let slot = 0; slot < page.count; slot++) {
      if (page.object(slot) === VOLUME_OBJECT || shapeProblem(page, slot, this.#survey.role) !== undefined) continue;
      if (this.#current?.ino !== page.object(slot)) {
        this.finish();
        this.#current = this.#begin(page.object(slot));
      }
      this.#item(this.#current!, page, slot);
    }
  }

  #begin(ino: number): CurrentInode {
    return {
      ino,
      index: this.#survey.table.find(ino),
      words: this.#words,
      record: undefined,
      recordLeaf: 0,
      // Without a record nobody knows whether it was transplanted.
      owner: 'transplanted',
      entries: 0,
      xattrs: 0,
      parts: 0,
      partsEnd: 0,
      target: undefined,
      extent: undefined,
      lastHash: -1,
      sameHash: [],
    };
  }

  #item(current: CurrentInode, page: Page, slot: number): void {
    switch (page.kind(slot)) {
      case KIND_INODE: {
        const at = page.valueWord(slot);
        current.words.set(page.words.subarray(at, at + INODE_WORDS));
        current.record = readRecord(current.words, 0);
        current.recordLeaf = page.number;
        if (!current.record.isTransplanted) current.owner = 'own';
        if (this.#isNewLeaf && hasBlob(current.record.storage)) this.#shared.census.addBlob(current.record.blob);
        break;
      }
      case KIND_XATTR:
        this.#xattr(current, page, slot);
        break;
      case KIND_DIRENT:
        this.#entry(current, page, slot);
        break;
      case KIND_SYMLINK:
        this.#symlink(current, page, slot);
        break;
      case KIND_EXTENT:
        this.#extent(current, page, slot);
        break;
      case KIND_PART:
        this.#part(current, page, slot);
        break;
    }
  }

  /** Counts a record that an item points to; `bytes` is what it takes, 0 if it cannot be read. */
  #count(kind: 'string' | 'extent', address: number, bytes: number): void {
    if (this.#isNewLeaf) this.#shared.census.addRecord(kind, address, bytes);
  }

  #error(code: FindingCode, ino: number, problem: string, effect = ''): void {
    this.#findings.error(code, `inode ${ino}`, problem, effect, this.#paths.of(ino));
  }

  /** What an item points to is damaged. */
  #damage(code: FindingCode, ino: number, page: Page, problem: string, effect: string): void {
    this.#shared.damagedLeaves.add(page.number);
    this.#error(code, ino, problem, effect);
  }

  // ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #xattr(current: CurrentInode, page: Page, slot: number): void {
    current.xattrs++;
    if (!this.#looksAtRecords) return;
    const { store } = this.#shared;
    const at = page.valueWord(slot);
    const result = xattrProblem(store, page, slot, current.owner);
    const isRight = typeof result === 'number';
    // Name and value may lie in two segments: each record is counted where it is.
    const valueBytes = isRight ? store.strings.size : 0;
    this.#count('string', readU64(page.words, at), isRight ? result - valueBytes : 0);
    this.#count('string', readU64(page.words, at + 2), valueBytes);
    if (isRight) return;
    const problem = `an extended attribute is damaged: ${result}`;
    this.#damage('xattr', current.ino, page, problem, 'the file itself is not affected');
  }

  #entry(current: CurrentInode, page: Page, slot: number): void {
    current.entries++;
    const { table } = this.#survey;
    const at = page.valueWord(slot);
    const child = readU64(page.words, at);
    const isRight = this.#entryName(current, page, slot, child);
    const childIndex = table.find(child);
    const quoted = (): string => (isRight ? `entry "${printable(this.#nameOf(page, slot))}"` : 'an entry');
    if (child === ROOT_INO) {
      this.#error('dangling-entry', current.ino, `${quoted()} leads to the root directory, which has no name`);
    } else if (childIndex < 0) {
      const effect = this.#survey.lost.length > 0 ? 'its record is where the tree cannot be read' : 'the file is lost';
      this.#error('dangling-entry', current.ino, `${quoted()} leads to inode ${child}, which does not exist`, effect);
    } else if (page.words[at + 4] !== table.type(childIndex)) {
      const problem = `${quoted()} says type ${page.words[at + 4]}, its inode ${table.type(childIndex)}`;
      this.#error('entry-type', current.ino, problem);
    }
  }

  /** Judges the name of an entry. Returns whether it can be read, as far as is known. */
  #entryName(current: CurrentInode, page: Page, slot: number, child: number): boolean {
    if (this.#looksAtRecords) {
      const { store } = this.#shared;
      const problem = entryNameProblem(store, page, slot, current.owner);
      this.#count(
        'string',
        readU64(page.words, page.valueWord(slot) + 2),
        problem === undefined ? store.strings.size : 0,
      );
      if (problem !== undefined) {
        const effect = `it leads to inode ${child}`;
        this.#damage('name', current.ino, page, `the name of an entry is damaged: ${problem}`, effect);
        return false;
      }
    }
    this.#checkUnique(current, page, slot);
    return true;
  }

  #nameAt(address: number, minor: number): Buffer {
    const { strings } = this.#shared.store;
    strings.read(address, undefined, KIND_DIRENT, minor);
    return Buffer.from(strings.payload);
  }

  #nameOf(page: Page, slot: number): Buffer {
    return this.#nameAt(readU64(page.words, page.valueWord(slot) + 2), page.minor(slot));
  }

  #checkUnique(current: CurrentInode, page: Page, slot: number): void {
    const minor = page.minor(slot);
    const hash = Math.floor(minor / TURNS);
    if (hash !== current.lastHash) {
      current.lastHash = hash;
      current.sameHash = [];
    } else {
      const name = this.#nameOf(page, slot);
      if (current.sameHash.some((other) => this.#nameAt(other.address, other.minor).equals(name))) {
        const problem = `two entries have the name "${printable(name)}"`;
        this.#error('name', current.ino, problem, 'the second one cannot be found');
      }
    }
    current.sameHash.push({ address: readU64(page.words, page.valueWord(slot) + 2), minor });
  }

  /** Whether an item's record is needed: it is looked at, or it was not together with the inode's record when it was. */
  #isNeeded(current: CurrentInode, page: Page): boolean {
    return this.#looksAtRecords || page.number !== current.recordLeaf;
  }

  #symlink(current: CurrentInode, page: Page, slot: number): void {
    current.target = -1;
    if (!this.#isNeeded(current, page)) return;
    const { store } = this.#shared;
    const problem = symlinkProblem(store, page, slot, current.owner);
    this.#count('string', readU64(page.words, page.valueWord(slot)), problem === undefined ? store.strings.size : 0);
    if (problem === undefined) current.target = store.strings.payload.length;
    else this.#damage('symlink', current.ino, page, `the target is damaged: ${problem}`, 'the symlink leads nowhere');
  }

  #extent(current: CurrentInode, page: Page, slot: number): void {
    current.extent = -1;
    if (!this.#isNeeded(current, page)) return;
    const { store } = this.#shared;
    const problem = extentProblem(store, page, slot, current.owner);
    this.#count('extent', readU64(page.words, page.valueWord(slot)), problem === undefined ? store.packs.size : 0);
    if (problem === undefined) current.extent = store.packs.payload.length;
    else this.#damage('extent', current.ino, page, `the data is damaged: ${problem}`, 'reading the file fails');
  }

  #part(current: CurrentInode, page: Page, slot: number): void {
    current.parts++;
    const { ino, record } = current;
    const at = page.valueWord(slot);
    const [blob, count, end] = [readU64(page.words, at), page.words[at + 2], page.minor(slot) + 1];
    const { blobs, census } = this.#shared;
    if (this.#isNewLeaf) census.addBlob(blob);
    if (record === undefined) return;
    const chunks = Math.ceil(record.size / CHUNK_BYTES);
    const where = `chunks ${end - count} to ${end - 1}`;
    if (count === 0 || end - count < 0) this.#error('part', ino, `a part of ${count} chunks that ends with ${end - 1}`);
    else if (end - count < current.partsEnd) this.#error('part', ino, `two parts have the same of ${where}`);
    else if (end > chunks) this.#error('part', ino, `a part with ${where}, but the file has ${chunks} chunks`);
    current.partsEnd = end;
    blobs.check(blob, { ino, size: Number.POSITIVE_INFINITY, owner: current.owner }, this.#findings, () =>
      this.#paths.of(ino),
    );
  }

  /** Judges the inode whose items have all been seen. */
  finish(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    if (current.record !== undefined) {
      this.inoMax = Math.max(this.inoMax, current.ino);
      const { mode, size } = current.record;
      const bytes = isRegular(mode) ? size : 0;
      this.dataBytes += bytes;
      this.quotas.add(current.record, bytes);
    }
    this.#rules.judge(current);
  }
}
