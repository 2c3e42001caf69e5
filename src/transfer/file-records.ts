/**
 * The records of what is in one file: its extended attributes, its data without the holes, its size.
 */
import { ENXIO } from '../errors/errno.js';
import { FileSystem } from '../filesystem/filesystem.js';
import { SEEK_DATA, SEEK_HOLE } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';
import { type ByteRange, changedRanges } from '../volume/diff-data.js';
import type { Inode } from '../volume/inode.js';
import { isRegular, isSymlink } from '../volume/mode.js';
import type { PinnedTree } from '../volume/pinned-tree.js';
import { DATA_BYTES_MAX } from './format.js';
import {
  dataRecord,
  makeRecord,
  numbersRecord,
  type OutgoingRecord,
  removeXattrRecord,
  xattrRecord,
} from './outgoing-records.js';

const NO_TARGET = new Uint8Array(0);

export class FileRecords {
  readonly #tree: PinnedTree;
  readonly #filesystem: FileSystem;

  constructor(tree: PinnedTree) {
    this.#tree = tree;
    this.#filesystem = new FileSystem(tree.volume, { atime: 'noatime' });
  }

  /** The record that makes an inode. */
  make(inode: Inode, parent: Ino, name: Uint8Array): OutgoingRecord {
    const target = isSymlink(inode.mode) ? this.#filesystem.readSymlink(inode.ino) : NO_TARGET;
    return makeRecord(inode, parent, name, target);
  }

  /** All that is in a new inode. */
  *contents(inode: Inode): Generator<OutgoingRecord, void, undefined> {
    for (const name of this.#xattrs(inode)) {
      yield xattrRecord(inode.ino, name, this.#filesystem.getExtendedAttribute(inode.ino, name));
    }
    if (!isRegular(inode.mode) || inode.size === 0) return;
    let written = 0;
    for (const segment of this.#segments(inode, { from: 0, to: inode.size })) {
      yield* this.#data(inode, segment);
      written = segment.to;
    }
    if (written < inode.size) yield numbersRecord('size', inode.ino, inode.size);
  }

  #xattrs({ ino, xattrs }: Inode): Uint8Array[] {
    return xattrs === 0 ? [] : this.#filesystem.listExtendedAttributes(ino);
  }

  /** What makes the contents of an inode of another state the contents of this one. */
  *changes(earlier: FileRecords, before: Inode, inode: Inode): Generator<OutgoingRecord, void, undefined> {
    yield* this.#xattrChanges(earlier, before, inode);
    if (!isRegular(inode.mode)) return;
    if (before.size !== inode.size) yield numbersRecord('size', inode.ino, inode.size);
    const files = [
      { state: earlier.#tree.volume.state, inode: before },
      { state: this.#tree.volume.state, inode },
    ] as const;
    for (const range of changedRanges(...files)) {
      let at = range.from;
      for (const segment of this.#segments(inode, range)) {
        if (segment.from > at) yield numbersRecord('hole', inode.ino, at, segment.from - at);
        yield* this.#data(inode, segment);
        at = segment.to;
      }
      if (at < range.to) yield numbersRecord('hole', inode.ino, at, range.to - at);
    }
  }

  *#xattrChanges(earlier: FileRecords, before: Inode, inode: Inode): Generator<OutgoingRecord, void, undefined> {
    const { ino } = inode;
    const text = (name: Uint8Array): string => Buffer.from(name).toString('latin1');
    const old = new Map(
      earlier.#xattrs(before).map((name) => [text(name), earlier.#filesystem.getExtendedAttribute(ino, name)]),
    );
    const names = this.#xattrs(inode);
    const kept = new Set(names.map(text));
    for (const name of old.keys()) {
      if (!kept.has(name)) yield removeXattrRecord(ino, Buffer.from(name, 'latin1'));
    }
    for (const name of names) {
      const value = this.#filesystem.getExtendedAttribute(ino, name);
      const known = old.get(text(name));
      if (known === undefined || Buffer.compare(known, value) !== 0) yield xattrRecord(ino, name, value);
    }
  }

  /** The parts of a range that hold data. */
  *#segments({ ino }: Inode, { from, to }: ByteRange): Generator<ByteRange, void, undefined> {
    for (let at = from; at < to; ) {
      const start = this.#nextData(ino, at);
      if (start === undefined || start >= to) return;
      const end = Math.min(to, this.#filesystem.seek(ino, start, SEEK_HOLE));
      yield { from: start, to: end };
      at = end;
    }
  }

  #nextData(ino: Ino, from: number): number | undefined {
    try {
      return this.#filesystem.seek(ino, from, SEEK_DATA);
    } catch (error) {
      if (error === ENXIO) return undefined;
      throw error;
    }
  }

  *#data({ ino }: Inode, { from, to }: ByteRange): Generator<OutgoingRecord, void, undefined> {
    for (let position = from; position < to; position += DATA_BYTES_MAX) {
      const length = Math.min(DATA_BYTES_MAX, to - position);
      yield dataRecord(ino, position, length, async () => {
        const bytes = new Uint8Array(length);
        await this.#filesystem.read(ino, position, length, bytes, 0);
        return bytes;
      });
    }
  }
}
