/**
 * The rules for an inode as a whole, once all its items have been seen: its data against its record, its counts against what
 * there is, and the names that lead to it.
 */
import { ROOT_INO } from '../store/units.js';
import { hasBlob, STORAGE_PACK, STORAGE_PARTS } from '../volume/inode.js';
import { isDirectory, isRegular, isSymlink } from '../volume/mode.js';
import type { BlobCheck } from './blobs.js';
import type { ErrorSink, FindingCode } from './findings.js';
import { type InodeRecord, recordProblems } from './inode-record.js';
import { NO_PARENT } from './inode-table.js';
import type { RecordOwnerRule } from './item-rules.js';
import type { Paths } from './paths.js';
import type { Survey } from './survey.js';

/** What was seen of one inode's items. */
export interface SeenInode {
  readonly ino: number;
  /** Its place in the inode table; -1 when it has no record. */
  readonly index: number;
  readonly words: Uint32Array;
  record: InodeRecord | undefined;
  entries: number;
  xattrs: number;
  parts: number;
  /** Whose records its items point to. */
  owner: RecordOwnerRule;
  /** Bytes of the target, or of the extent; -1 when it cannot be read, or was compared in a tree before. */
  target: number | undefined;
  extent: number | undefined;
}

export class InodeRules {
  readonly #survey: Survey;
  readonly #findings: ErrorSink;
  readonly #blobs: BlobCheck;
  readonly #paths: Paths;

  constructor(survey: Survey, findings: ErrorSink, blobs: BlobCheck, paths: Paths) {
    this.#survey = survey;
    this.#findings = findings;
    this.#blobs = blobs;
    this.#paths = paths;
  }

  #error(code: FindingCode, ino: number, problem: string, effect = ''): void {
    this.#findings.error(code, `inode ${ino}`, problem, effect, this.#paths.of(ino));
  }

  /** Reports everything that is wrong with an inode. */
  judge(seen: SeenInode): void {
    const { ino, record } = seen;
    if (record === undefined) {
      const what = seen.entries > 0 ? 'a directory' : 'a file';
      const effect = `what is left is of ${what}, which cannot be used`;
      this.#error('lost-record', ino, 'the inode record is missing', effect);
      return;
    }
    for (const problem of recordProblems(seen.words, 0)) this.#error('inode-record', ino, problem);
    this.#data(seen, record);
    // Parts that cannot be read are reported already: what they held would be missed in every count.
    if (this.#survey.lost.length === 0) this.#counts(seen, record);
    this.#names(seen, record);
  }

  #data(seen: SeenInode, record: InodeRecord): void {
    const { ino, extent, target } = seen;
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
    if (hasBlob(record.storage) && isRegular(record.mode)) {
      const { size } = record;
      this.#blobs.check(record.blob, { ino, size, owner: seen.owner }, this.#findings, () => this.#paths.of(ino));
    }
    if ((record.storage === STORAGE_PARTS) !== seen.parts > 0 && this.#survey.lost.length === 0) {
      const problem =
        seen.parts > 0 ? 'has parts, but its record says otherwise' : 'has no parts, but its record says so';
      this.#error('part', ino, problem);
    }
    if (seen.entries > 0 && !isDirectory(record.mode)) this.#error('item', ino, 'has entries, but is no directory');
  }

  #counts(seen: SeenInode, record: InodeRecord): void {
    const { ino, index } = seen;
    const { table } = this.#survey;
    if (record.xattrs !== seen.xattrs) {
      this.#error('xattr-count', ino, `counts ${record.xattrs} extended attributes, has ${seen.xattrs}`);
    }
    if (isDirectory(record.mode) && record.entries !== seen.entries) {
      this.#error('entry-count', ino, `counts ${record.entries} entries, has ${seen.entries}`);
    }
    const hasName = ino === ROOT_INO || table.names(index) > 0;
    if (!hasName && !table.isOrphan(index)) return; // Reported as unreachable.
    const links = isDirectory(record.mode) ? (hasName ? 2 + table.links(index) : 0) : table.links(index);
    if (record.nlink !== links) this.#error('link-count', ino, `link count ${record.nlink}, should be ${links}`);
  }

  #names(seen: SeenInode, record: InodeRecord): void {
    const { ino, index } = seen;
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
      return;
    }
    if (names === 0) {
      const below = isDirectory(record.mode) ? 'it and everything in it cannot be reached' : 'it cannot be reached';
      this.#error('unreachable', ino, 'no name leads to it', below);
      return;
    }
    if (table.isCycleHead(index)) {
      const effect = 'it and everything in it cannot be reached';
      this.#findings.error('cycle', `inode ${ino}`, 'the directory contains itself', effect, { ino });
    }
    if (table.hasWrongHint(index) && this.#survey.lost.length === 0) {
      const problem = `says that its name is an entry of inode ${record.parent}, but none there leads to it`;
      this.#error('parent', ino, problem, 'its path cannot be told');
    }
    this.#quota(ino, index, record.quotaGroup);
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

  /** An inode counts for the quota that its directory does, unless the quota is on itself. */
  #quota(ino: number, index: number, group: number): void {
    const { table, quotas } = this.#survey;
    const parent = table.parent(index);
    if (parent === NO_PARENT) return;
    const expected = quotas.get(group)?.directory === ino ? 0 : group;
    if (table.group(parent) === expected) return;
    const problem = `counts for quota group ${group}, but the directory that it is in for ${table.group(parent)}`;
    this.#error('quota', ino, problem);
  }
}
