/**
 * Commands over the control socket, between a real server and a real client; what they do stands in for real commands.
 */
import t, { type Test } from 'tap';
import { type CommandIo, runRemotely } from '../../src/mount/command-client.js';
import type { CommandSurroundings } from '../../src/mount/command-server.js';
import type { CommandContext, StoreCommand } from '../../src/mount/commands/store-command.js';
import { type ControlledStore, ControlServer } from '../../src/mount/control-server.js';
import { connectToDaemon } from '../../src/mount/daemon-socket.js';

const CHUNK = 300_000;
const CHUNKS = 100;

/** Waits until nobody waits for the command any more. */
const abandoned = ({ signal }: CommandContext): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

class Commands {
  written = 0;
  readonly reasons: string[] = [];

  readonly table: Readonly<Record<string, StoreCommand<object, unknown>>> = {
    echo: async (args, { caller }) => ({ args, caller }),
    fail: async () => {
      throw Object.assign(new Error('It cannot be done.'), { name: 'StoreError', code: 'held', advice: 'Release it.' });
    },
    stream: async (_, { write, progress }) => {
      for (let index = 0; index < CHUNKS; index++) {
        progress({ index });
        await write(new Uint8Array(CHUNK).fill(index));
        this.written++;
      }
      return this.written;
    },
    count: async (_, { input }) => {
      let bytes = 0;
      for await (const chunk of input) bytes += chunk.length;
      return bytes;
    },
    wait: async (_, context) => {
      await abandoned(context).catch((error: Error) => {
        this.reasons.push(error.message);
        throw error;
      });
    },
  };
}

async function serving(t: Test): Promise<{ commands: Commands; server: ControlServer; ask: Ask }> {
  const store = t.testdir();
  const commands = new Commands();
  const server = await ControlServer.open(store, (name) => commands.table[name]);
  server.serve({ commandSurroundings: () => ({}) as CommandSurroundings } as unknown as ControlledStore);
  const ask: Ask = async (name, args = {}, io = {}) => {
    const socket = await connectToDaemon(store);
    return runRemotely(
      socket!,
      { command: 'run', name, args, mountPoint: '', device: '', caller: { uid: 1, gid: 2 } },
      io,
    );
  };
  return { commands, server, ask };
}

type Ask = (name: string, args?: object, io?: CommandIo) => Promise<unknown>;

const end = async (server: ControlServer): Promise<void> => {
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
};

t.test('results and failures', async (t) => {
  const { server, ask } = await serving(t);
  t.same(await ask('echo', { name: 'é' }), { args: { name: 'é' }, caller: { uid: 1, gid: 2 } });
  await t.rejects(ask('fail'), {
    name: 'StoreError',
    code: 'held',
    message: 'It cannot be done.',
    advice: 'Release it.',
  });
  await t.rejects(ask('no such command'), { code: 'no-answer', message: /another version/ });
  await end(server);
});

t.test('output waits for a client that is slow, and comes whole', async (t) => {
  const { commands, server, ask } = await serving(t);
  let received = 0;
  let ahead = 0;
  let isWhole = true;
  let reports = 0;
  const result = await ask(
    'stream',
    {},
    {
      output: async (bytes) => {
        await new Promise((resolve) => setImmediate(resolve));
        isWhole &&= bytes.every((byte) => byte === Math.floor(received / CHUNK));
        received += bytes.length;
        ahead = Math.max(ahead, commands.written - received / CHUNK);
      },
      progress: () => reports++,
    },
  );
  t.equal(result, CHUNKS);
  t.equal(received, CHUNKS * CHUNK);
  t.ok(isWhole);
  t.ok(reports > 0);
  t.ok(ahead < CHUNKS / 2, `the command was ${ahead} chunks ahead at most`);
  await end(server);
});

t.test('input is passed on until its end', async (t) => {
  const { server, ask } = await serving(t);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < CHUNKS; index++) yield new Uint8Array(CHUNK);
  }
  t.equal(await ask('count', {}, { input: chunks() }), CHUNK * CHUNKS);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(CHUNK);
    throw new Error('the file cannot be read');
  }
  await t.rejects(ask('count', {}, { input: broken() }), { message: 'the file cannot be read' });
  await end(server);
});

t.test('a command is given up when its client goes, and when the store is closed', async (t) => {
  const { commands, server, ask } = await serving(t);
  const abort = new AbortController();
  const given = ask('wait', {}, { signal: abort.signal });
  await ask('echo');
  abort.abort(new Error('given up'));
  await t.rejects(given, { message: 'given up' });
  t.equal(await ask('echo').then(() => 'served on'), 'served on');
  const interrupted = ask('wait');
  await ask('echo');
  await Promise.all([t.rejects(interrupted, { code: 'interrupted' }), server.withdraw()]);
  t.equal(commands.reasons.length, 2);
  await server.dismiss({ outcome: 'clean' });
});
