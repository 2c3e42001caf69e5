/**
 * The string table: names, symlink targets, and names and values of extended attributes, in the arena `strings.dat`.
 *
 * A string is never changed. It belongs to one item, which the trees of snapshots may have too; it goes with the last of them.
 */
import { Arena, type RecordOwner, recordBytes, type SharedAddresses } from '../store/arena.js';
import type { Disk } from '../store/disk.js';
import type { Address } from '../store/units.js';

export const stringsSegmentName = (index: number): string => (index === 0 ? 'strings.dat' : `strings.${index}.dat`);

export class StringTable {
  readonly arena: Arena;
  readonly #shared: SharedAddresses;

  constructor(disk: Disk, end: Address, segmentBytes: number, readOnly: boolean, shared: SharedAddresses) {
    this.#shared = shared;
    this.arena = new Arena(disk, end, {
      recordName: 'string',
      segmentName: stringsSegmentName,
      segmentBytes,
      readOnly,
    });
  }

  /** Makes sure that `count` strings of `length` bytes in all can be added. Throws DiskError (ENOSPC). */
  reserve(count: number, length: number): void {
    this.arena.reserve(count * (recordBytes(0) + 8) + length);
  }

  add(owner: RecordOwner, bytes: Uint8Array): Address {
    return this.arena.append(owner, bytes);
  }

  /** The bytes of a string; a view of the mapped file. Throws CorruptionError. */
  get(address: Address): Uint8Array {
    return this.arena.read(address);
  }

  equals(address: Address, bytes: Uint8Array): boolean {
    return this.arena.equals(address, bytes);
  }

  /** An item points to a string no more: without others, its space is given back. */
  release(address: Address): void {
    if (this.#shared.drop(address)) this.arena.release(address);
  }
}
