/**
 * Sends a snapshot: the bytes of a stream (format.ts), whole, from an earlier snapshot on, or from where an earlier stream broke.
 */
import { createHash } from 'node:crypto';
import { StoreError } from '../errors/store-error.js';
import type { Dataset } from '../volume/dataset.js';
import { HOLDS } from '../volume/datasets.js';
import { PinnedTree } from '../volume/pinned-tree.js';
import type { Store } from '../volume/store.js';
import {
  encodeRecord,
  outlineAfter,
  payloadOf,
  type RecordType,
  type ResumePoint,
  SAID_AGAIN,
  type StreamBeginning,
  streamHeader,
} from './format.js';
import { guidOf } from './identity.js';
import type { OutgoingRecord } from './outgoing-records.js';
import { recordsBetween, recordsOfAll } from './snapshot-records.js';

export interface SendRequest {
  readonly snapshot: Dataset;
  readonly base: Dataset | undefined;
  readonly resume: ResumePoint | undefined;
}

/** Small records are put together to chunks of about this many bytes. */
const CHUNK_BYTES = 128 * 1024;

/** Yields the bytes of the stream in chunks. Throws StoreError, CorruptionError, DiskError. */
export async function* sendStream(store: Store, request: SendRequest): AsyncGenerator<Uint8Array, void, undefined> {
  const snapshot = new PinnedTree(store, request.snapshot);
  const base = request.base === undefined ? undefined : new PinnedTree(store, request.base);
  const digest = createHash('sha256');
  try {
    let waiting: Buffer[] = [];
    let bytes = 0;
    for await (const part of parts(store, request, snapshot, base, () => digest.copy().digest())) {
      digest.update(part);
      waiting.push(part);
      bytes += part.length;
      if (bytes < CHUNK_BYTES) continue;
      yield Buffer.concat(waiting, bytes);
      [waiting, bytes] = [[], 0];
    }
    if (bytes > 0) yield Buffer.concat(waiting, bytes);
  } finally {
    base?.release();
    snapshot.release();
  }
}

async function* parts(
  store: Store,
  request: SendRequest,
  snapshot: PinnedTree,
  base: PinnedTree | undefined,
  digest: () => Uint8Array,
): AsyncGenerator<Buffer, void, undefined> {
  yield streamHeader();
  yield encodeJson('begin', beginningOf(store, request));
  const skipped = request.resume?.count ?? 0;
  let count = 0;
  let outline = 0;
  for await (const record of base === undefined ? recordsOfAll(snapshot) : recordsBetween(base, snapshot)) {
    if (count === skipped && request.resume !== undefined) yield resumeRecord(request.resume, outline);
    outline = outlineAfter(outline, record.type, record.head);
    count++;
    if (count > skipped || SAID_AGAIN.has(record.type)) yield await encode(record);
  }
  if (count < skipped) throw otherRecords();
  if (count === skipped && request.resume !== undefined) yield resumeRecord(request.resume, outline);
  yield encodeRecord('end', digest());
}

function beginningOf(store: Store, { snapshot, base, resume }: SendRequest): StreamBeginning {
  const { name, createdMs, inodes, dataBytes } = snapshot;
  // A hold is about the snapshot here: the copy may go.
  const properties = Object.fromEntries(Object.entries(snapshot.properties).filter(([key]) => key !== HOLDS));
  return {
    volume: store.state.catalog.require(snapshot.volume).name,
    snapshot: { name, guid: guidOf(store, snapshot), createdMs, properties, inodes, dataBytes },
    base: base === undefined ? null : { name: base.name, guid: guidOf(store, base) },
    resume: resume ?? null,
  };
}

const encodeJson = (type: RecordType, value: object): Buffer => {
  const text = Buffer.from(JSON.stringify(value));
  return encodeRecord(
    type,
    payloadOf(text.length, (out) => out.bytes(text)),
  );
};

async function encode({ type, head, data }: OutgoingRecord): Promise<Buffer> {
  return encodeRecord(type, data === undefined ? head : Buffer.concat([head, await data()]));
}

function resumeRecord(resume: ResumePoint, outline: number): Buffer {
  if (outline !== resume.outline) throw otherRecords();
  return encodeRecord(
    'resume',
    payloadOf(0, (out) => {
      out.i64(resume.count);
      out.u32(resume.outline);
    }),
  );
}

const otherRecords = (): StoreError =>
  new StoreError(
    'bad-stream',
    'The stream cannot be gone on with: what was sent of these snapshots before is not what would be sent now.',
    'Send it again from the beginning.',
  );
