/**
 * Packs: the data of small files, in the arena `packs/`.
 *
 * A small file is one extent. Writing to it makes a new extent, unless the extent was made in the current epoch, has room, and is in
 * no snapshot: then no durable checkpoint reaches it, and it is changed in place.
 */
import { Arena, type RecordOwner, recordBytes, type SharedAddresses } from '../store/arena.js';
import type { Disk } from '../store/disk.js';
import type { Address } from '../store/units.js';

export const PACKS_DIRECTORY = 'packs';
export const packSegmentName = (index: number): string => `${PACKS_DIRECTORY}/${index}`;

/** Files above this many bytes have a blob of their own. */
export const SMALL_FILE_BYTES_MAX = 32 * 1024;

/** Space set aside for a file that has grown before, so that appending does not move it each time. */
const growthCapacity = (length: number): number => Math.min(SMALL_FILE_BYTES_MAX, Math.ceil((length * 3) / 2));

export class Packs {
  readonly arena: Arena;
  /** Extents from this address on were made in the current epoch. */
  #epochStart: Address;
  readonly #shared: SharedAddresses;

  constructor(disk: Disk, end: Address, segmentBytes: number, readOnly: boolean, shared: SharedAddresses) {
    this.#shared = shared;
    this.arena = new Arena(disk, end, {
      recordName: 'pack extent',
      segmentName: packSegmentName,
      segmentBytes,
      readOnly,
    });
    this.#epochStart = this.arena.end;
  }

  /** Makes sure that one more extent of any size can be added. Throws DiskError (ENOSPC). */
  reserve(): void {
    this.arena.reserve(recordBytes(SMALL_FILE_BYTES_MAX));
  }

  /** What exists now is reachable from the checkpoint that begins. */
  beginEpoch(): void {
    this.#epochStart = this.arena.end;
  }

  add(owner: RecordOwner, data: Uint8Array): Address {
    return this.arena.append(owner, data);
  }

  /** The data of an extent; a view of the mapped file. Throws CorruptionError. */
  get(address: Address): Uint8Array {
    return this.arena.read(address);
  }

  /** The extent's data with `data` written at `at` and zeros before it where there was nothing; may be a new extent. */
  write(address: Address, owner: RecordOwner, at: number, data: Uint8Array): Address {
    const end = at + data.length;
    const isOwn = address >= this.#epochStart && !this.#shared.isShared(address);
    if (isOwn && end <= this.arena.capacity(address)) {
      this.arena.overwrite(address, at, data);
      return address;
    }
    const old = this.arena.read(address);
    const changed = new Uint8Array(Math.max(old.length, end));
    changed.set(old);
    changed.set(data, at);
    return this.#replace(address, owner, changed, end > old.length ? growthCapacity(changed.length) : changed.length);
  }

  /** The extent cut or extended with zeros to `length` bytes; a new extent. */
  resize(address: Address, owner: RecordOwner, length: number): Address {
    const old = this.arena.read(address);
    const changed = new Uint8Array(length);
    changed.set(old.subarray(0, length));
    return this.#replace(address, owner, changed, length);
  }

  #replace(address: Address, owner: RecordOwner, data: Uint8Array, capacity: number): Address {
    this.release(address);
    return this.arena.append(owner, data, capacity);
  }

  /** An item points to an extent no more: without others, its space is given back. */
  release(address: Address): void {
    if (this.#shared.drop(address)) this.arena.release(address);
  }
}
