/**
 * The control socket, between a real server and real clients; the mount behind it is a stand-in.
 */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import t from 'tap';
import { StoreError } from '../../src/errors/store-error.js';
import { ControlClient } from '../../src/mount/control-client.js';
import { LineSplitter, type MountStatus, SocketDirectory } from '../../src/mount/control-protocol.js';
import { type ControlledStore, ControlServer } from '../../src/mount/control-server.js';
import type { MountRequest } from '../../src/mount/mount-request.js';

const STATUS: MountStatus = {
  mountPoint: '/mnt/é',
  store: '/s',
  pid: 17,
  transport: 'kernel',
  supervisorPid: 16,
  restarts: 0,
  lastDeath: '',
  startedAt: 1,
  volatile: null,
  volume: {
    uuid: '0'.repeat(32),
    label: '',
    formatVersion: 1,
    mountCount: 1,
    durability: 'interval',
    commitIntervalMs: 5000,
    readOnlyReason: '',
    inodes: 1,
    dataBytes: 0,
    bytes: { nodes: 0, strings: 0, packs: 0, log: 0 },
    epoch: 1,
    lsn: 0,
    recovery: {
      clean: true,
      powerLoss: false,
      operationsReplayed: 0,
      orphansReclaimed: 0,
      filesClamped: 0,
      milliseconds: 0,
    },
  },
  privateBytes: 1,
  requests: { LOOKUP: 1 },
  mounts: [],
};

const REQUEST: MountRequest = {
  mountPoint: '/mnt/other',
  store: '/s',
  label: '',
  dataset: 'work',
  durability: undefined,
  commitIntervalMs: undefined,
  readOnly: false,
  options: '',
  transport: 'kernel',
};

class StandIn implements ControlledStore {
  readonly stops: string[] = [];
  status(): MountStatus {
    return STATUS;
  }
  restarts = 0;
  stop(reason: string): void {
    this.stops.push(reason);
  }
  restart(): void {
    this.restarts++;
  }
  readonly rates: number[] = [];
  readonly scrub = {
    start: (bytesPerSecond: number): void => void this.rates.push(bytesPerSecond),
    stop: (): void => void this.rates.push(0),
    status: (): null => null,
  };
  async mount({ dataset }: MountRequest): Promise<never> {
    throw new StoreError('no-such-volume', `There is no ${dataset}.`, 'Look.');
  }
  commandSurroundings(): never {
    throw new Error('runs no commands');
  }
}

async function serving(store: string): Promise<[ControlServer, StandIn]> {
  const mount = new StandIn();
  const server = await ControlServer.open(store);
  server.serve(mount);
  return [server, mount];
}

t.test('answers, and tells its end', async (t) => {
  const store = t.testdir();
  const [server, mount] = await serving(store);
  const client = await ControlClient.connect(store);
  t.same(await client?.status(), STATUS);
  t.same(await client?.status(), STATUS, 'a second time on the same connection');
  await client?.stop();
  t.equal(mount.stops.length, 1);
  await server.withdraw();
  t.same(readdirSync(store), [], 'the socket is gone');
  await server.dismiss({ outcome: 'clean' });
  t.same(await client?.ended, { outcome: 'clean' });
  t.equal(await client?.status(), undefined, 'nobody answers any more');
});

t.test('an end that was not clean reaches the client', async (t) => {
  const store = t.testdir();
  const [server] = await serving(store);
  const client = await ControlClient.connect(store);
  await server.withdraw();
  await server.dismiss({ outcome: 'failed', error: 'no space' });
  t.same(await client?.ended, { outcome: 'failed', error: 'no space' });
});

t.test('a daemon that hangs up on everybody is not asked for ever', async (t) => {
  const store = t.testdir();
  const directory = new SocketDirectory(store);
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(directory.socketPath, resolve));
  t.teardown(() => {
    server.close();
    directory.close();
  });
  await t.rejects(ControlClient.connectAnswering(store, 200), { code: 'no-answer' });
  t.ok(connections > 1 && connections < 20, `${connections} times in between`);
});

t.test('scrubs are passed on', async (t) => {
  const store = t.testdir();
  const [server, mount] = await serving(store);
  const client = await ControlClient.connect(store);
  t.equal(await client?.scrub({ command: 'scrub', bytesPerSecond: 1000 }), null);
  t.equal(await client?.scrub({ command: 'scrub-stop' }), null);
  t.equal(await client?.scrub({ command: 'scrub', bytesPerSecond: -1 }), undefined, 'refused');
  t.same(mount.rates, [1000, 0]);
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
});

t.test('a restart is not an end', async (t) => {
  const store = t.testdir();
  const [server, mount] = await serving(store);
  const client = await ControlClient.connect(store);
  await client?.restart();
  t.equal(mount.restarts, 1);
  await server.withdraw();
  await server.dismiss({ outcome: 'restart' });
  t.equal((await client?.ended)?.outcome, 'unknown', 'nothing is said of the store');
});

t.test('only the owner may connect', async (t) => {
  const store = t.testdir();
  const [server] = await serving(store);
  t.equal(statSync(path.join(store, 'control.sock')).mode & 0o777, 0o600);
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
});

t.test('takes over from a socket that a killed daemon left', async (t) => {
  const store = t.testdir();
  writeFileSync(path.join(store, 'control.sock'), '');
  t.equal(await ControlClient.connect(store), undefined);
  const [server] = await serving(store);
  const client = await ControlClient.connect(store);
  t.ok(await client?.status());
  client?.close();
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
});

t.test('a store path longer than a socket path may be', async (t) => {
  const store = path.join(t.testdir(), 'd'.repeat(120), 'e'.repeat(120));
  mkdirSync(store, { recursive: true });
  const [server] = await serving(store);
  const client = await ControlClient.connect(store);
  t.ok(await client?.status());
  client?.close();
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
});

t.test('nonsense is refused or cut off, and others are served on', async (t) => {
  const store = t.testdir();
  const [server] = await serving(store);
  const directory = new SocketDirectory(store);
  const raw = connect(directory.socketPath).setEncoding('utf8');
  const answers = new LineSplitter();
  const received: string[] = [];
  const waitFor = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (received.length >= count) {
          raw.off('data', check);
          resolve();
        }
      };
      raw.on('data', check);
    });
  raw.on('data', (chunk: string) => received.push(...answers.split(chunk)));
  raw.write('nonsense\n{"command":"format"}\n[1]\nnull\n');
  await waitFor(4);
  t.ok(received.every((line) => JSON.parse(line).answer === 'refused'));
  const cut = new Promise((resolve) => raw.on('close', resolve));
  raw.on('error', () => {});
  raw.write('x'.repeat(2 << 20));
  await cut;
  directory.close();
  const client = await ControlClient.connect(store);
  t.ok(await client?.status());
  client?.close();
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
});

t.test('one of several mounts ends, and a refusal to mount reaches the client', async (t) => {
  const store = t.testdir();
  const [server] = await serving(store);
  const client = await ControlClient.connect(store);
  await t.rejects(client!.mount(REQUEST), { code: 'no-such-volume', message: 'There is no work.', advice: 'Look.' });
  const [one, other, failing] = ['/mnt/1', '/mnt/2', '/mnt/3'].map((mountPoint) => client!.unmounted(mountPoint));
  server.announce({ answer: 'unmounted', mountPoint: '/mnt/1', error: '' });
  t.same(await one, { outcome: 'left' });
  server.announce({ answer: 'unmounted', mountPoint: '/mnt/3', error: 'no space' });
  t.same(await failing, { outcome: 'failed', error: 'no space' });
  await server.withdraw();
  await server.dismiss({ outcome: 'clean' });
  t.same(await other, { outcome: 'clean' });
});
