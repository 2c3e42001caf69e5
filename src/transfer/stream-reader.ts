/**
 * Cuts a stream (format.ts) into records, and checks it: each record by its checksum, and at the end the whole.
 *
 * What a record says is not checked here. A stream that ends early, or is damaged, is a StoreError `bad-stream`.
 */
import { createHash } from 'node:crypto';
import { StoreError } from '../errors/store-error.js';
import { FieldReader } from '../wal/record.js';
import {
  DIGEST_BYTES,
  PAYLOAD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RECORD_TYPES,
  type RecordType,
  recordChecksum,
  STREAM_HEADER_BYTES,
  STREAM_MAGIC,
  STREAM_VERSION,
} from './format.js';

export interface IncomingRecord {
  readonly type: RecordType;
  readonly payload: Buffer;
  readonly fields: FieldReader;
}

const TYPE_OF_CODE: ReadonlyMap<number, RecordType> = new Map(
  (Object.keys(RECORD_TYPES) as RecordType[]).map((type) => [RECORD_TYPES[type], type]),
);

export const badStream = (problem: string): StoreError =>
  new StoreError('bad-stream', `The stream cannot be received: ${problem}.`, 'Send the snapshot again.');

/** Bytes from somewhere, to be taken in pieces of a wanted length. */
class Bytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes; throws at the end. */
  async take(length: number): Promise<Buffer> {
    if (this.#rest.length < length) await this.#fill(length);
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #fill(length: number): Promise<void> {
    const parts = [this.#rest];
    let bytes = this.#rest.length;
    while (bytes < length) {
      const next = await this.#chunks.next();
      if (next.done === true) throw badStream('it ends before it is complete');
      const { buffer, byteOffset, byteLength } = next.value;
      parts.push(Buffer.from(buffer, byteOffset, byteLength));
      bytes += byteLength;
    }
    this.#rest = Buffer.concat(parts, bytes);
  }

  /** Whether nothing follows. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return true;
      this.#rest = Buffer.from(next.value);
    }
    return false;
  }
}

/** Yields all records but the last, which is checked. Throws StoreError. */
export async function* readStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<IncomingRecord, void, undefined> {
  const bytes = new Bytes(chunks);
  const digest = createHash('sha256');
  const header = await bytes.take(STREAM_HEADER_BYTES);
  if (!header.subarray(0, STREAM_MAGIC.length).equals(STREAM_MAGIC)) throw badStream('it is not one of razorfs send');
  const version = header.readUInt32LE(STREAM_MAGIC.length);
  if (version !== STREAM_VERSION) throw badStream(`it is of version ${version}, which this razorfs does not know`);
  digest.update(header);
  for (let index = 0; ; index++) {
    const [type, record] = await readRecord(bytes);
    if ((type === 'begin') !== (index === 0)) throw badStream('its records are out of order');
    const payload = record.subarray(RECORD_HEADER_BYTES);
    const fields = new FieldReader(payload, 0, payload.length);
    if (type === 'end') {
      if (payload.length !== DIGEST_BYTES || !payload.equals(digest.digest()))
        throw badStream('its checksum does not match');
      if (!(await bytes.isAtEnd())) throw badStream('there is something after its end');
      return;
    }
    digest.update(record);
    yield { type, payload, fields };
  }
}

async function readRecord(bytes: Bytes): Promise<[RecordType, Buffer]> {
  const header = await bytes.take(RECORD_HEADER_BYTES);
  const length = header.readUInt32LE(0);
  const type = TYPE_OF_CODE.get(header.readUInt32LE(4));
  if (length > PAYLOAD_BYTES_MAX) throw badStream('it is damaged');
  const record = Buffer.concat([header, await bytes.take(length)]);
  if (recordChecksum(record, length) !== header.readUInt32LE(8)) throw badStream('it is damaged');
  if (type === undefined) throw badStream('it has a record of a kind that this razorfs does not know');
  return [type, record];
}
