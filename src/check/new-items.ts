/**
 * Items that a repair adds to trees, and the records in strings and packs that they point to. Records are appended after the
 * end of their arena, where no checkpoint reaches.
 */
import { packSegmentName } from '../blobs/packs.js';
import { Arena, type RecordOwner, recordBytes } from '../store/arena.js';
import type { Disk } from '../store/disk.js';
import { asAddress } from '../store/units.js';
import { stringsSegmentName } from '../strings/string-table.js';
import { highWord, keyWord2, lowWord } from '../tree/key.js';
import { ADDRESS_BYTES, DIRENT_BYTES, KIND_DIRENT, KIND_EXTENT, VOLUME_OBJECT, writeU64 } from '../volume/items.js';
import type { CheckResult } from './check.js';
import { compareKeys } from './page-reader.js';

/** An item to be added, or to take the place of the one with its key. */
export interface NewItem {
  readonly key: Uint32Array;
  readonly value: Uint32Array;
  /** Bytes. */
  readonly length: number;
}

export class NewItems {
  readonly #items: NewItem[] = [];
  readonly strings: Arena;
  readonly packs: Arena;

  constructor(disk: Disk, { superblock, stringsEnd, packsEnd }: CheckResult) {
    const segmentBytes = superblock.geometry.arenaSegmentBytes;
    this.strings = new Arena(disk, asAddress(stringsEnd), {
      recordName: 'string',
      segmentName: stringsSegmentName,
      segmentBytes,
      readOnly: false,
    });
    this.packs = new Arena(disk, asAddress(packsEnd), {
      recordName: 'pack extent',
      segmentName: packSegmentName,
      segmentBytes,
      readOnly: false,
    });
  }

  add(object: number, kind: number, minor: number, value: Uint32Array): void {
    const key = Uint32Array.of(highWord(object), lowWord(object), keyWord2(kind, minor), lowWord(minor));
    this.#items.push({ key, value, length: value.length * 4 });
  }

  /** An item of the volume itself whose key says it all. */
  addMark(kind: number, minor: number): void {
    this.add(VOLUME_OBJECT, kind, minor, new Uint32Array(0));
  }

  addEntry(directory: number, minor: number, name: Uint8Array, ino: number, type: number): void {
    this.strings.reserve(recordBytes(name.length));
    const address = this.strings.append({ object: directory, kind: KIND_DIRENT, minor }, name);
    const value = new Uint32Array(DIRENT_BYTES / 4);
    writeU64(value, 0, ino);
    writeU64(value, 2, address);
    value[4] = type;
    this.add(directory, KIND_DIRENT, minor, value);
  }

  addExtent(ino: number, data: Uint8Array): void {
    this.packs.reserve(recordBytes(data.length));
    const address = this.packs.append({ object: ino, kind: KIND_EXTENT, minor: 0 }, data);
    const value = new Uint32Array(ADDRESS_BYTES / 4);
    writeU64(value, 0, address);
    this.add(ino, KIND_EXTENT, 0, value);
  }

  addString(owner: RecordOwner, text: string): number {
    const bytes = Buffer.from(text, 'utf8');
    this.strings.reserve(recordBytes(bytes.length));
    return this.strings.append(owner, bytes);
  }

  /** All that were added since the last call, by key: those of one tree. */
  take(): readonly NewItem[] {
    return this.#items.splice(0).sort((a, b) => compareKeys(a.key, 0, b.key, 0));
  }

  async sync(): Promise<void> {
    await Promise.all([this.strings.sync(), this.packs.sync()]);
  }

  close(): void {
    this.strings.close();
    this.packs.close();
  }
}
