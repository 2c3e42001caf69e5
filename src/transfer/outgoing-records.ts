/**
 * What a stream is made of, before it is cut into bytes: records whose data is read only when it is to be sent.
 */
import type { Inode } from '../volume/inode.js';
import type { FieldWriter } from '../wal/record.js';
import { payloadOf, type RecordType } from './format.js';

export interface OutgoingRecord {
  readonly type: RecordType;
  /** The payload without the bytes of data. */
  readonly head: Buffer;
  /** Reads the bytes of data. */
  readonly data?: () => Promise<Uint8Array>;
}

export const writeStamp = (out: FieldWriter, seconds: number, nanoseconds: number): void => {
  out.i64(seconds);
  out.u32(nanoseconds);
};

/** A record that puts an inode under a name. */
export const nameRecord = (type: 'detach' | 'name', ino: number, parent: number, name: Uint8Array): OutgoingRecord => ({
  type,
  head: payloadOf(name.length, (out) => {
    out.i64(ino);
    out.i64(parent);
    out.bytes(name);
  }),
});

export const baseRecord = ({ ino, mode }: Inode, parent: number, name: Uint8Array): OutgoingRecord => ({
  type: 'base',
  head: payloadOf(name.length, (out) => {
    out.i64(ino);
    out.i64(parent);
    out.u32(mode);
    out.bytes(name);
  }),
});

export const makeRecord = (inode: Inode, parent: number, name: Uint8Array, target: Uint8Array): OutgoingRecord => ({
  type: 'make',
  head: payloadOf(name.length + target.length, (out) => {
    out.i64(inode.ino);
    out.i64(parent);
    out.u32(inode.mode);
    out.u32(inode.uid);
    out.u32(inode.gid);
    out.u32(inode.rdev);
    writeStamp(out, inode.btimeSeconds, inode.btimeNanoseconds);
    out.bytes(name);
    out.bytes(target);
  }),
});

export const attributesRecord = (inode: Inode): OutgoingRecord => ({
  type: 'attributes',
  head: payloadOf(0, (out) => {
    out.i64(inode.ino);
    out.u32(inode.mode);
    out.u32(inode.uid);
    out.u32(inode.gid);
    writeStamp(out, inode.atimeSeconds, inode.atimeNanoseconds);
    writeStamp(out, inode.mtimeSeconds, inode.mtimeNanoseconds);
    writeStamp(out, inode.ctimeSeconds, inode.ctimeNanoseconds);
  }),
});

/** A record of numbers of 64 bits. */
export const numbersRecord = (type: 'size' | 'hole', ...numbers: readonly number[]): OutgoingRecord => ({
  type,
  head: payloadOf(0, (out) => {
    for (const number of numbers) out.i64(number);
  }),
});

export const NAMED: OutgoingRecord = { type: 'named', head: Buffer.alloc(0) };

export const xattrRecord = (ino: number, name: Uint8Array, value: Uint8Array): OutgoingRecord => ({
  type: 'xattr',
  head: payloadOf(name.length + value.length, (out) => {
    out.i64(ino);
    out.bytes(name);
    out.bytes(value);
  }),
});

export const removeXattrRecord = (ino: number, name: Uint8Array): OutgoingRecord => ({
  type: 'removeXattr',
  head: payloadOf(name.length, (out) => {
    out.i64(ino);
    out.bytes(name);
  }),
});

export const dataRecord = (
  ino: number,
  position: number,
  length: number,
  data: () => Promise<Uint8Array>,
): OutgoingRecord => ({
  type: 'data',
  head: payloadOf(0, (out) => {
    out.i64(ino);
    out.i64(position);
    out.u32(length);
  }),
  data,
});
