/**
 * Reading and writing the fields of log records: little-endian, in the order in which they are called.
 */
import { CorruptionError } from '../errors/corruption.js';

const WORD = 0x1_0000_0000;

/** Writes fields into memory. */
export class FieldWriter {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Begins at a byte offset; there must be room for all that follows (`Log.reserve`). */
  begin(bytes: Uint8Array, at: number): void {
    this.#bytes = bytes;
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  u8(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  u32(value: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#at = at + 4;
  }

  /** A whole number from -2^53 to 2^53, in two's complement. */
  i64(value: number): void {
    this.u32(value >>> 0);
    this.u32(Math.floor(value / WORD) >>> 0);
  }

  /** A length, then the bytes. */
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }
}

/** Reads fields back; reading past the record's end is damage. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#end) throw new CorruptionError('log record', 'shorter than its fields');
    this.#at = at + length;
    return at;
  }

  /** Whether all fields have been read: what came to be added to a record of some type is missing in older logs. */
  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  u8(): number {
    return this.#bytes[this.#take(1)];
  }

  u32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
  }

  i64(): number {
    const low = this.u32();
    return (this.u32() | 0) * WORD + low;
  }

  /** A view of the log: valid until the segment is recycled. */
  bytes(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }
}
