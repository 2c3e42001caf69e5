/**
 * The pass over all items in key order, which have an inode's record, names and data side by side: each item is judged by itself
 * (item-rules.ts) and against the inode that it belongs to.
 */
import { ROOT_INO } from '../store/units.js';
import { STORAGE_BLOB, STORAGE_PACK } from '../volume/inode.js';
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
import { isDirectory, isRegular, isSymlink } from '../volume/mode.js';
import { TURNS } from '../volume/name-hash.js';
import type { ArenaReader } from './arena-reader.js';
import type { BlobCheck } from './blobs.js';
import type { Findings } from './findings.js';
import { INODE_WORDS, type InodeRecord, readRecord, recordProblems } from './inode-record.js';
import { NO_PARENT } from './inode-table.js';
import { entryNameProblem, extentProblem, shapeProblem, symlinkProblem, xattrProblem } from './item-rules.js';
import type { Page } from './page-reader.js';
import { Paths, printable } from './paths.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { Survey } from './survey.js';

/** The items seen so far of one inode. */
interface Current {
  readonly ino: number;
  /** Its place in the inode table; -1 when it has no record. */
  readonly index: number;
  readonly words: Uint32Array;
  record: InodeRecord | undefined;
  entries: number;
  xattrs: number;
  /** Bytes of the target, or of the extent; -1 when it cannot be read. */
  target: number | undefined;
  extent: number | undefined;
  /** Names of the entries with the hash that came last. */
  readonly sameHash: Buffer[];
  lastHash: number;
}

export class InodePass {
  readonly #store: StoreUnderCheck;
  readonly #survey: Survey;
  readonly #findings: Findings;
  readonly #blobs: BlobCheck;
  readonly #paths: Paths;
  #current: Current | undefined;
  /** Live bytes of arena segments, by minor key, as counted. */
  readonly live = new Map<number, number>();
  inoMax = 0;
  dataBytes = 0;

  constructor(store: StoreUnderCheck, survey: Survey, findings: Findings, blobs: BlobCheck) {
    this.#store = store;
    this.#survey = survey;
    this.#findings = findings;
    this.#blobs = blobs;
    this.#paths = new Paths(survey.leaves, store.strings, survey.table);
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

  #begin(ino: number): Current {
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

  #item(current: Current, page: Page, slot: number): void {
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

  #error(code: Parameters<Findings['error']>[0], ino: number, problem: string, effect = ''): void {
    this.#findings.error(code, `inode ${ino}`, problem, effect, this.#paths.of(ino));
  }

  // ── Items ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #xattr(current: Current, page: Page, slot: number): void {
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

  #entry(current: Current, page: Page, slot: number): void {
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

  #checkUnique(current: Current, name: Buffer, minor: number): void {
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

  #symlink(current: Current, page: Page, slot: number): void {
    const { strings } = this.#store;
    const problem = symlinkProblem(this.#store, page, slot);
    current.target = problem === undefined ? strings.payload.length : -1;
    if (problem === undefined) {
      this.#countLive(ARENA_STRINGS, strings, readU64(page.words, page.valueWord(slot)), strings.size);
    } else {
      this.#error('symlink', current.ino, `the target is damaged: ${problem}`, 'the symlink leads nowhere');
    }
  }

  #extent(current: Current, page: Page, slot: number): void {
    const { packs } = this.#store;
    const problem = extentProblem(this.#store, page, slot);
    current.extent = problem === undefined ? packs.payload.length : -1;
    if (problem === undefined) {
      this.#countLive(ARENA_PACKS, packs, readU64(page.words, page.valueWord(slot)), packs.size);
    } else {
      this.#error('extent', current.ino, `the data is damaged: ${problem}`, 'reading the file fails');
    }
  }

  // ── The inode as a whole ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Judges the inode whose items have all been seen. */
  finish(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined) return;
    const { ino, record } = current;
    if (record === undefined) {
      const what = current.entries > 0 ? 'a directory' : 'a file';
      this.#error(
        'lost-record',
        ino,
        `the inode record is missing`,
        `what is left is of ${what}, which cannot be used`,
      );
      return;
    }
    this.inoMax = Math.max(this.inoMax, ino);
    if (isRegular(record.mode)) this.dataBytes += record.size;
    for (const problem of recordProblems(current.words, 0)) this.#error('inode-record', ino, problem);
    this.#finishData(current, record);
    if (this.#survey.lost.length === 0) this.#finishCounts(current, record);
    this.#finishNames(current, record);
  }

  #finishData(current: Current, record: InodeRecord): void {
    const { ino, extent, target } = current;
    if (isSymlink(record.mode)) {
      if (target === undefined) this.#error('symlink', ino, 'the target is missing', 'the symlink leads nowhere');
      else if (target >= 0 && target !== record.size) {
        this.#error('inode-record', ino, `size ${record.size}, but its target has ${target} bytes`);
      }
    } else if (target !== undefined) this.#error('item', ino, 'has a symlink target, but is no symlink');
    if (record.storage === STORAGE_PACK) {
      if (extent === undefined) this.#error('extent', ino, 'the data is missing', 'reading the file fails');
      else if (extent > record.size) {
        this.#error('extent-length', ino, `${extent} bytes of data, but the file has ${record.size}`);
      }
    } else if (extent !== undefined) this.#error('item', ino, 'has small-file data, but its record says otherwise');
    if (record.storage === STORAGE_BLOB && isRegular(record.mode))
      this.#blobs.check(record.blob, ino, record.size, () => this.#paths.of(ino));
    if (current.entries > 0 && !isDirectory(record.mode)) this.#error('item', ino, 'has entries, but is no directory');
  }

  #finishCounts(current: Current, record: InodeRecord): void {
    const { ino, index } = current;
    const { table } = this.#survey;
    if (record.xattrs !== current.xattrs) {
      this.#error('xattr-count', ino, `counts ${record.xattrs} extended attributes, has ${current.xattrs}`);
    }
    if (isDirectory(record.mode) && record.entries !== current.entries) {
      this.#error('entry-count', ino, `counts ${record.entries} entries, has ${current.entries}`);
    }
    const hasName = ino === ROOT_INO || table.names(index) > 0;
    if (!hasName && !table.isOrphan(index)) return; // Reported as unreachable.
    const links = isDirectory(record.mode) ? (hasName ? 2 + table.links(index) : 0) : table.links(index);
    if (record.nlink !== links) this.#error('link-count', ino, `link count ${record.nlink}, should be ${links}`);
  }

  #finishNames(current: Current, record: InodeRecord): void {
    const { ino, index } = current;
    const { table } = this.#survey;
    const names = table.names(index);
    if (ino === ROOT_INO) {
      if (!isDirectory(record.mode))
        this.#error('root', ino, 'the root is not a directory', 'the store cannot be mounted');
      else if (record.parent !== ROOT_INO) this.#error('parent', ino, `the root has parent ${record.parent}`);
      return;
    }
    if (table.isOrphan(index)) {
      if (names > 0)
        this.#error('orphan', ino, 'listed as a file without a name, but it has one', 'the next mount would delete it');
      else if (current.entries > 0) this.#error('orphan', ino, 'listed as a removed directory, but it is not empty');
      return;
    }
    if (names === 0) {
      const below = isDirectory(record.mode) ? 'it and everything in it cannot be reached' : 'it cannot be reached';
      this.#error('unreachable', ino, 'no name leads to it', below);
      return;
    }
    if (table.isCycleHead(index)) {
      this.#findings.error(
        'cycle',
        `inode ${ino}`,
        'the directory contains itself',
        'it and everything in it cannot be reached',
        { ino },
      );
    }
    if (!isDirectory(record.mode)) return;
    if (names > 1) this.#error('directory-names', ino, `${names} names lead to a directory, which may have one only`);
    const parent = table.parent(index);
    if (parent !== NO_PARENT && record.parent !== table.ino(parent) && names === 1) {
      this.#error(
        'parent',
        ino,
        `says that it is in inode ${record.parent}, but it is in ${table.ino(parent)}`,
        '".." leads astray',
      );
    }
  }
}
