/**
 * The disk that holds the store, with a write cache that a power cut empties: what has been written and not flushed is in the memory of
 * this process alone, and `cut` decides what of it reaches the medium. The machine speaks to it by the protocol of network block devices
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md).
 *
 * INVARIANT: a flush is answered when the medium has all writes that were answered before it came.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import net from 'node:net';
import type { Random } from '../../test/random.js';
import { Incoming } from './incoming.js';

/** What a drive writes wholly or not at all. */
const SECTOR_BYTES = 512;

/** Of the handshake. */
const MAGIC = Buffer.from('NBDMAGICIHAVEOPT');
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
const FIXED_NEWSTYLE_NO_ZEROES = 3;
const OPTION = { abort: 2, go: 7 } as const;
const REPLY = { acknowledged: 1, info: 3, unsupported: 2 ** 31 + 1 } as const;
const INFO_EXPORT = 0;
/** It has flags, and takes flushes. */
const TRANSMISSION_FLAGS = 1 | 4;

/** Of the requests. */
const REQUEST_BYTES = 28;
const REPLY_MAGIC = 0x67446698;
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const EINVAL = 22;

interface Write {
  readonly at: number;
  readonly data: Buffer;
}

/** What a cut does to the writes that were not flushed. */
export const FATES = ['all kept', 'all lost', 'some lost'] as const;
export type Fate = (typeof FATES)[number];

export class VolatileDisk {
  readonly #file: string;
  readonly #medium: number;
  readonly #bytes: number;
  readonly #server: net.Server;
  readonly #connections = new Set<Promise<void>>();
  #cache: Write[] = [];

  /** Makes a file of so many bytes, and serves it on a Unix socket. */
  constructor(file: string, bytes: number, socket: string) {
    this.#file = file;
    this.#medium = openSync(file, 'w+');
    ftruncateSync(this.#medium, bytes);
    this.#bytes = bytes;
    this.#server = net.createServer((connection) => {
      // A machine that is killed ends the connection in the middle of whatever it was.
      const served = this.#serve(connection).catch(() => void connection.destroy());
      this.#connections.add(served);
      void served.then(() => this.#connections.delete(served));
    });
    this.#server.listen(socket);
  }

  close(): void {
    this.#server.close();
    closeSync(this.#medium);
  }

  /** Once the machine is gone: decides what becomes of what was not flushed. Returns how many writes that was, and how many are there. */
  async cut(fate: Fate, random: Random): Promise<{ unflushed: number; kept: number }> {
    await Promise.all(this.#connections);
    const cache = this.#cache;
    this.#cache = [];
    let kept = 0;
    for (const write of cache) {
      const survivors = survivorsOf(write, fate, random);
      for (const { at, data } of survivors) writeSync(this.#medium, data, 0, data.length, at);
      if (survivors.length > 0) kept++;
    }
    return { unflushed: cache.length, kept };
  }

  /** Copies the medium as it is, for a later look. */
  save(copy: string): void {
    const { status, stderr } = spawnSync('cp', ['--sparse=always', this.#file, copy], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`the medium cannot be copied: ${stderr}`);
  }

  async #serve(connection: net.Socket): Promise<void> {
    const incoming = new Incoming(connection);
    await this.#negotiate(connection, incoming);
    for (;;) {
      const request = await incoming.take(REQUEST_BYTES);
      const command = request.readUInt16BE(6);
      const at = Number(request.readBigUInt64BE(16));
      const length = request.readUInt32BE(24);
      const reply = Buffer.alloc(16);
      reply.writeUInt32BE(REPLY_MAGIC, 0);
      request.copy(reply, 8, 8, 16);
      switch (command) {
        case COMMAND.read:
          connection.write(Buffer.concat([reply, this.#read(at, length)]));
          continue;
        case COMMAND.write:
          this.#cache.push({ at, data: await incoming.take(length) });
          break;
        case COMMAND.flush:
          this.#flush();
          break;
        case COMMAND.disconnect:
          connection.end();
          return;
        default:
          reply.writeUInt32BE(EINVAL, 4);
      }
      connection.write(reply);
    }
  }

  /** Returns when requests may come. */
  async #negotiate(connection: net.Socket, incoming: Incoming): Promise<void> {
    const flags = Buffer.alloc(2);
    flags.writeUInt16BE(FIXED_NEWSTYLE_NO_ZEROES);
    connection.write(Buffer.concat([MAGIC, flags]));
    await incoming.take(4);
    for (;;) {
      const header = await incoming.take(16);
      const option = header.readUInt32BE(8);
      await incoming.take(header.readUInt32BE(12));
      if (option === OPTION.go) {
        const info = Buffer.alloc(12);
        info.writeUInt16BE(INFO_EXPORT, 0);
        info.writeBigUInt64BE(BigInt(this.#bytes), 2);
        info.writeUInt16BE(TRANSMISSION_FLAGS, 10);
        connection.write(
          Buffer.concat([optionReply(option, REPLY.info, info), optionReply(option, REPLY.acknowledged)]),
        );
        return;
      }
      connection.write(optionReply(option, option === OPTION.abort ? REPLY.acknowledged : REPLY.unsupported));
    }
  }

  /** As the machine sees it, which knows nothing of the cache. */
  #read(at: number, length: number): Buffer {
    const shown = Buffer.alloc(length);
    readSync(this.#medium, shown, 0, length, at);
    for (const write of this.#cache) {
      const from = Math.max(at, write.at);
      const to = Math.min(at + length, write.at + write.data.length);
      if (from < to) write.data.copy(shown, from - at, from - write.at, to - write.at);
    }
    return shown;
  }

  #flush(): void {
    for (const { at, data } of this.#cache) writeSync(this.#medium, data, 0, data.length, at);
    this.#cache = [];
  }
}

function optionReply(option: number, type: number, data = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20);
  header.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(type, 12);
  header.writeUInt32BE(data.length, 16);
  return Buffer.concat([header, data]);
}

/** What is left of a write: in the third fate half of them are lost, and some of the others torn. */
function survivorsOf(write: Write, fate: Fate, random: Random): readonly Write[] {
  switch (fate) {
    case 'all kept':
      return [write];
    case 'all lost':
      return [];
    case 'some lost': {
      const roll = random.below(8);
      if (roll < 4) return [];
      return roll < 7 ? [write] : sectorsOf(write).filter(() => random.below(2) === 0);
    }
  }
}

function sectorsOf({ at, data }: Write): Write[] {
  const count = Math.ceil(data.length / SECTOR_BYTES);
  return Array.from({ length: count }, (_, number) => {
    const start = number * SECTOR_BYTES;
    return { at: at + start, data: data.subarray(start, start + SECTOR_BYTES) };
  });
}
