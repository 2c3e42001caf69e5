/** The disk whose cache a power cut empties, as a machine sees it. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { Incoming } from '../../tools/power-cut/incoming.js';
import { type Fate, VolatileDisk } from '../../tools/power-cut/volatile-disk.js';
import { Random } from '../random.js';
import { scratch } from '../store/scratch.js';

const DISK_BYTES = 64 * 1024;
const COMMAND = { read: 0, write: 1, flush: 3 } as const;

/** A machine's side of the connection. */
class Client {
  readonly #socket: net.Socket;

  readonly #incoming: Incoming;

  private constructor(socket: net.Socket, incoming: Incoming) {
    this.#socket = socket;
    this.#incoming = incoming;
  }

  static async connected(address: string): Promise<Client> {
    const socket = net.connect(address);
    await once(socket, 'connect');
    const incoming = new Incoming(socket);
    t.equal((await incoming.take(18)).toString('latin1', 0, 16), 'NBDMAGICIHAVEOPT');
    const go = Buffer.alloc(4 + 16 + 6);
    go.write('IHAVEOPT', 4);
    go.writeUInt32BE(7, 12);
    go.writeUInt32BE(6, 16);
    socket.write(go);
    const info = await incoming.take(20 + 12 + 20);
    t.equal(Number(info.readBigUInt64BE(22)), DISK_BYTES);
    return new Client(socket, incoming);
  }

  async request(command: keyof typeof COMMAND, at = 0, data = Buffer.alloc(0), length = data.length): Promise<Buffer> {
    const header = Buffer.alloc(28);
    header.writeUInt32BE(0x25609513);
    header.writeUInt16BE(COMMAND[command], 6);
    header.writeBigUInt64BE(BigInt(at), 16);
    header.writeUInt32BE(length, 24);
    this.#socket.write(Buffer.concat([header, data]));
    t.equal((await this.#incoming.take(16)).readUInt32BE(4), 0, 'no error');
    return this.#incoming.take(command === 'read' ? length : 0);
  }

  /** As a machine that is killed. */
  end(): void {
    this.#socket.destroy();
  }
}

/** Writes two blocks, the first of them flushed, and cuts. Returns what is left. */
async function afterCut(t: Test, fate: Fate): Promise<Buffer> {
  const directory = scratch(t);
  const file = path.join(directory, 'disk');
  const disk = new VolatileDisk(file, DISK_BYTES, path.join(directory, 'socket'));
  t.teardown(() => disk.close());
  const client = await Client.connected(path.join(directory, 'socket'));
  await client.request('write', 0, Buffer.alloc(4096, 'a'));
  await client.request('flush');
  await client.request('write', 2048, Buffer.alloc(4096, 'b'));
  const shown = await client.request('read', 0, undefined, 8192);
  t.equal(shown.toString('latin1', 2046, 2050), 'aabb', 'reads show what is cached');
  client.end();
  const { unflushed } = await disk.cut(fate, new Random(1));
  t.equal(unflushed, 1);
  return readFileSync(file).subarray(0, 6144);
}

t.test('what was flushed is there, the rest is lost', async (t) => {
  t.same(await afterCut(t, 'all lost'), Buffer.concat([Buffer.alloc(4096, 'a'), Buffer.alloc(2048)]));
});

t.test('what was not flushed may be there', async (t) => {
  t.same(await afterCut(t, 'all kept'), Buffer.concat([Buffer.alloc(2048, 'a'), Buffer.alloc(4096, 'b')]));
});

t.test('sectors are old or new', async (t) => {
  const left = await afterCut(t, 'some lost');
  for (let at = 2048; at < left.length; at += 512) {
    const sector = left.subarray(at, at + 512);
    t.ok(sector.every((byte) => byte === sector[0]));
  }
});
