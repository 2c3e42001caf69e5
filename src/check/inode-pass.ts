/**
 * The pass over all items in key order, which have an inode's record, names and data side by side: each item is judged by itself
 * (item-rules.ts) and against the inode that it belongs to.
 */
import { ROOT_INO } from '../store/units.js';
import {
  ARENA_PACKS,
  ARENA_STRINGS,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_SYMLINK,
  KIND_XATTR,
  readU64,
  segmentMinor,
  VOLUME_OBJECT,
} from '../volume/items.js';
import { isRegular } from '../volume/mode.js';
import { TURNS } from '../volume/name-hash.js';
import type { ArenaReader } from './arena-reader.js';
import type { BlobCheck } from './blobs.js';
import type { FindingCode, Findings } from './findings.js';
import { INODE_WORDS, readRecord } from './inode-record.js';
import { InodeRules, type SeenInode } from './inode-rules.js';
import { entryNameProblem, extentProblem, shapeProblem, symlinkProblem, xattrProblem } from './item-rules.js';
import type { Page } from './page-reader.js';
import { Paths, printable } from './paths.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';

/** The inode whose items are being looked at. */
interface CurrentInode extends SeenInode {
  /** Names of the entries with the hash that came last. */
  readonly sameHash: Buffer[];
  lastHash: number;
}

export class InodePass {
  readonly #store: StoreUnderCheck;
  readonly #survey: Survey;
  readonly #findings: Findings;
  readonly #rules: InodeRules;
  readonly #paths: Paths;
  #current: CurrentInode | undefined;
  /** Live bytes of arena segments, by minor key, as counted. */
  readonly live = new Map<number, number>();
  inoMax = 0;
  dataBytes = 0;

  constructor(store: StoreUnderCheck, survey: Survey, findings: Findings, blobs: BlobCheck) {
    this.#store = store;
    this.#survey = survey;
    this.#findings = findings;
    this.#paths = new Paths(survey.leaves, store.strings, survey.table);
    this.#rules = new InodeRules(survey, findings, blobs, this.#paths);
  }

  /** Judges the items of a leaf. Leaves come in key order; `finish` follows the last one. */
  leaf(page: Page): void {
    for (let slot = 0; slot < page.count; slot++) {
      if (page.object(slot) === VOLUME_OBJECT || shapeProblem(page, slot) !== undefined) continue;
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
      words: new Uint32Array(INODE_WORDS),
      record: undefined,
      entries: 0,
      xattrs: 0,
      target: undefined,
      extent: undefined,
      sameHash: [],
      lastHash: -1,
    };
  }

  #item(current: CurrentInode, page: Page, slot: number): void {
    switch (page.kind(slot)) {
      case KIND_INODE: {
        const at = page.valueWord(slot);
        current.words.set(page.words.subarray(at, at + INODE_WORDS));
        current.record = readRecord(current.words, 0);
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
    }
  }

  /** Counts a record in the arena of strings or packs as live. */
  #countLive(arena: number, reader: ArenaReader, address: number, bytes: number): void {
    const minor = segmentMinor(arena, Math.floor(address / reader.segmentBytes));
    this.live.set(minor, (this.live.get(minor) ?? 0) + bytes);
  }

  #error(code: FindingCode, ino: number, problem: string, effect = ''): void {
    this.#findings.error(code, `inode ${ino}`, problem, effect, this.#paths.of(ino));
  }

  // ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #xattr(current: CurrentInode, page: Page, slot: number): void {
    current.xattrs++;
    const result = xattrProblem(this.#store, page, slot);
    if (typeof result === 'string') {
      this.#error(
        'xattr',
        current.ino,
        `an extended attribute is damaged: ${result}`,
        'the file itself is not affected',
      );
      return;
    }
    const { strings } = this.#store;
    const at = page.valueWord(slot);
    // Name and value may lie in two segments: each record is counted where it is.
    const valueBytes = strings.size;
    this.#countLive(ARENA_STRINGS, strings, readU64(page.words, at), result - valueBytes);
    this.#countLive(ARENA_STRINGS, strings, readU64(page.words, at + 2), valueBytes);
  }

  #entry(current: CurrentInode, page: Page, slot: number): void {
    current.entries++;
    const { table } = this.#survey;
    const { strings } = this.#store;
    const at = page.valueWord(slot);
    const child = readU64(page.words, at);
    const problem = entryNameProblem(this.#store, page, slot);
    const name = problem === undefined ? Buffer.from(strings.payload) : undefined;
    if (problem !== undefined) {
      this.#error('name', current.ino, `the name of an entry is damaged: ${problem}`, `it leads to inode ${child}`);
    } else {
      this.#countLive(ARENA_STRINGS, strings, readU64(page.words, at + 2), strings.size);
      this.#checkUnique(current, name!, page.minor(slot));
    }
    const quoted = name === undefined ? 'an entry' : `entry "${printable(name)}"`;
    const childIndex = table.find(child);
    if (child === ROOT_INO) {
      this.#error('dangling-entry', current.ino, `${quoted} leads to the root directory, which has no name`);
    } else if (childIndex < 0) {
      const effect = this.#survey.lost.length > 0 ? 'its record is where the tree cannot be read' : 'the file is lost';
      this.#error('dangling-entry', current.ino, `${quoted} leads to inode ${child}, which does not exist`, effect);
    } else if (page.words[at + 4] !== table.type(childIndex)) {
      this.#error(
        'entry-type',
        current.ino,
        `${quoted} says type ${page.words[at + 4]}, its inode ${table.type(childIndex)}`,
      );
    }
  }

  #checkUnique(current: CurrentInode, name: Buffer, minor: number): void {
    const hash = Math.floor(minor / TURNS);
    if (hash !== current.lastHash) current.sameHash.length = 0;
    current.lastHash = hash;
    if (current.sameHash.some((other) => other.equals(name))) {
      this.#error(
        'name',
        current.ino,
        `two entries have the name "${printable(name)}"`,
        'the second one cannot be found',
      );
    }
    current.sameHash.push(name);
  }

  #symlink(current: CurrentInode, page: Page, slot: number): void {
    const { strings } = this.#store;
    const problem = symlinkProblem(this.#store, page, slot);
    current.target = problem === undefined ? strings.payload.length : -1;
    if (problem === undefined) {
      this.#countLive(ARENA_STRINGS, strings, readU64(page.words, page.valueWord(slot)), strings.size);
    } else {
      this.#error('symlink', current.ino, `the target is damaged: ${problem}`, 'the symlink leads nowhere');
    }
  }

  #extent(current: CurrentInode, page: Page, slot: number): void {
    const { packs } = this.#store;
    const problem = extentProblem(this.#store, page, slot);
    current.extent = problem === undefined ? packs.payload.length : -1;
    if (problem === undefined) {
      this.#countLive(ARENA_PACKS, packs, readU64(page.words, page.valueWord(slot)), packs.size);
    } else {
      this.#error('extent', current.ino, `the data is damaged: ${problem}`, 'reading the file fails');
    }
  }

  /** Judges the inode whose items have all been seen. */
  finish(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    if (current.record !== undefined) {
      this.inoMax = Math.max(this.inoMax, current.ino);
      if (isRegular(current.record.mode)) this.dataBytes += current.record.size;
    }
    this.#rules.judge(current);
  }
}
