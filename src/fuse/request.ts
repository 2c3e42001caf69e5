/**
 * One request of the kernel, read in place from the buffer that the device filled.
 *
 * Every byte is untrusted. What is asked for outside the message, or is no number that can be represented, throws an `Errno`.
 * Nothing is allocated for a request whose name is short: views of the buffer are made once and kept.
 */
import { EINVAL, type Errno } from '../errors/errno.js';
import type { Caller } from '../filesystem/operations.js';
import { asIno, type Ino } from '../store/units.js';
import { FUSE_UNIQUE_RESEND_HIGH } from './abi.js';
import { fuse_in_header } from './abi-structs.js';

/** Where the struct of the opcode begins. */
export const BODY = fuse_in_header.sizeof;

/** 2^32: what the upper word of a 64-bit number counts. */
const WORD = 0x1_0000_0000;
/** Upper words from here on make numbers that JavaScript does not hold exactly (2^53). */
const HIGH_LIMIT = 0x20_0000;
/** Connections whose requests can be told from each other, by their number. */
export const CONNECTIONS_MAX = 2 ** 12;
/** Numbers that one connection's requests have before they begin again: kernels count by two, so these last for months. */
const REQUESTS_MAX = 2 ** 41;

/** Views of names up to this length that begin up to this byte are kept (LOOKUP 40, MKDIR 48, CREATE 56, and the like). */
const KEPT_LENGTH_MAX = 255;
const KEPT_OFFSET_MAX = 64;

const OPCODE = fuse_in_header.opcode / 4;
const UNIQUE = fuse_in_header.unique / 4;
const NODEID = fuse_in_header.nodeid / 4;
const UID = fuse_in_header.uid / 4;
const GID = fuse_in_header.gid / 4;
const PID = fuse_in_header.pid / 4;

export class Request {
  /** The buffer that the device fills. */
  readonly bytes: Uint8Array;
  /** The length of the message in bytes. */
  length = 0;
  opcode = 0;
  /** `unique`, to be echoed bit by bit. */
  uniqueLow = 0;
  uniqueHigh = 0;
  readonly caller: Caller;

  /** Added to the kernel's numbers of requests. */
  readonly #firstNumber: number;
  readonly #words: Uint32Array;
  readonly #views: Uint8Array[][] = [];

  /**
   * `capacity` in bytes, a multiple of 4. `connection`: the number of the connection that requests come from. `logged`: see `Caller`.
   */
  constructor(capacity: number, connection = 0, logged?: () => void) {
    this.caller = { uid: 0, gid: 0, pid: 0, umask: 0, request: 0, logged };
    this.#firstNumber = (connection % CONNECTIONS_MAX) * REQUESTS_MAX;
    this.bytes = new Uint8Array(capacity);
    this.#words = new Uint32Array(this.bytes.buffer);
    for (let offset = 0; offset <= KEPT_OFFSET_MAX; offset++) {
      this.#views.push([]);
    }
  }

  /** Takes note of a message of `length` bytes. False when it has not even a header that can be answered. */
  load(length: number): boolean {
    const words = this.#words;
    if (length < fuse_in_header.sizeof || length > this.bytes.length) {
      return false;
    }
    this.length = length;
    this.opcode = words[OPCODE]!;
    this.uniqueLow = words[UNIQUE]!;
    this.uniqueHigh = words[UNIQUE + 1]!;
    const caller = this.caller;
    caller.uid = words[UID]!;
    caller.gid = words[GID]!;
    caller.pid = words[PID]!;
    const high = (this.uniqueHigh & ~FUSE_UNIQUE_RESEND_HIGH) >>> 0;
    caller.request = high < HIGH_LIMIT ? this.#firstNumber + (high % (REQUESTS_MAX / WORD)) * WORD + this.uniqueLow : 0;
    return true;
  }

  /** Whether the length that the message states of itself is the one that arrived. */
  get isWhole(): boolean {
    return this.#words[0] === this.length;
  }

  /** Whether the kernel sends this request for the second time, because it got no answer from a process that is gone. */
  get isResent(): boolean {
    return this.uniqueHigh >= FUSE_UNIQUE_RESEND_HIGH;
  }

  /** The inode that the request is about. */
  node(): Ino {
    const high = this.#words[NODEID + 1]!;
    if (high >= HIGH_LIMIT) {
      throw EINVAL;
    }
    return asIno(high * WORD + this.#words[NODEID]!);
  }

  /** The unsigned 32-bit number at byte `at`, which must lie within what the opcode requires. */
  u32(at: number): number {
    return this.#words[at >> 2]!;
  }

  /** The unsigned 64-bit number at byte `at`; throws `refusal` from 2^53 on. */
  u64(at: number, refusal: Errno = EINVAL): number {
    const high = this.#words[(at >> 2) + 1]!;
    if (high >= HIGH_LIMIT) {
      throw refusal;
    }
    return high * WORD + this.#words[at >> 2]!;
  }

  /** The signed 64-bit number at byte `at`; EINVAL outside of ±2^53. */
  s64(at: number): number {
    const high = this.#words[(at >> 2) + 1]! | 0;
    if (high >= HIGH_LIMIT || high < -HIGH_LIMIT) {
      throw EINVAL;
    }
    return high * WORD + this.#words[at >> 2]!;
  }

  /** The bytes of the name that begins at byte `at`, without the NUL that must end it within the message. */
  name(at: number): Uint8Array {
    const bytes = this.bytes;
    const limit = this.length;
    let end = at;
    while (end < limit && bytes[end] !== 0) {
      end++;
    }
    if (end >= limit || end === at) {
      throw EINVAL;
    }
    return this.#view(at, end - at);
  }

  /** The `length` bytes at byte `at`, which must lie within the message. */
  data(at: number, length: number): Uint8Array {
    if (length > this.length - at) {
      throw EINVAL;
    }
    return this.bytes.subarray(at, at + length);
  }

  #view(at: number, length: number): Uint8Array {
    if (at > KEPT_OFFSET_MAX || length > KEPT_LENGTH_MAX) {
      return this.bytes.subarray(at, at + length);
    }
    const views = this.#views[at]!;
    views[length] ??= this.bytes.subarray(at, at + length);
    return views[length];
  }
}
