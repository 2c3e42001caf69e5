/** Streams in memory: sent, cut off, changed, and received. */

import { createHash } from 'node:crypto';
import { encodeRecord, RECORD_HEADER_BYTES, type RecordType, STREAM_HEADER_BYTES } from '../../src/transfer/format.js';
import { decodeToken, unfinishedIn } from '../../src/transfer/partial.js';
import { type ReceiveOptions, type ReceiveReport, receiveStream, tokenOf } from '../../src/transfer/receive.js';
import { sendStream } from '../../src/transfer/send.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { Datasets } from '../../src/volume/datasets.js';
import type { Store } from '../../src/volume/store.js';

export async function sent(store: Store, snapshot: Dataset, base?: Dataset, token?: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const resume = token === undefined ? undefined : decodeToken(token);
  for await (const chunk of sendStream(store, { snapshot, base, resume })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Pieces of a length that fits nothing. `meanwhile`: done once the first of them has been received. */
async function* pieces(stream: Uint8Array, meanwhile?: () => Promise<void> | void): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < stream.length; at += 70_001) {
    yield stream.subarray(at, at + 70_001);
    if (at === 0) await meanwhile?.();
  }
}

const NO_MOUNTS = { flush: async () => undefined, rolledBack: async () => undefined };

export const received = (
  store: Store,
  stream: Uint8Array,
  options: Partial<ReceiveOptions> = {},
  meanwhile?: () => Promise<void> | void,
): Promise<ReceiveReport> =>
  receiveStream(store, new Datasets(store), NO_MOUNTS, pieces(stream, meanwhile), {
    volume: undefined,
    isResumable: false,
    force: false,
    ...options,
  });

/** The token of the only unfinished reception. */
export const tokenIn = (store: Store): string | undefined => tokenOf(unfinishedIn(new Datasets(store))[0]);

/** Where the records of a stream begin. */
export function recordStarts(stream: Buffer): number[] {
  const starts: number[] = [];
  for (let at = STREAM_HEADER_BYTES; at < stream.length; at += RECORD_HEADER_BYTES + stream.readUInt32LE(at))
    starts.push(at);
  return starts;
}

/** The stream with a record put in the place of another, and all its checksums right: what an attacker can make. */
export function forged(stream: Buffer, start: number, type: RecordType, payload: Uint8Array): Buffer {
  const end = start + RECORD_HEADER_BYTES + stream.readUInt32LE(start);
  const last = recordStarts(stream).at(-1) ?? 0;
  const body = Buffer.concat([stream.subarray(0, start), encodeRecord(type, payload), stream.subarray(end, last)]);
  return Buffer.concat([body, encodeRecord('end', createHash('sha256').update(body).digest())]);
}
