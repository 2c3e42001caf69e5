import { readFileSync } from 'node:fs';
import t from 'tap';
import { type Cores, HostCores, Placement } from '../../src/fuse/placement.js';

/** Cores in memory: where clients are, and where the thread has been sent. */
class FakeCores implements Cores {
  readonly clients = new Map<number, number>();
  readonly moves: (number | undefined)[] = [];
  refused: number | undefined;

  of(pid: number): number | undefined {
    return this.clients.get(pid);
  }

  confine(core: number | undefined): boolean {
    this.moves.push(core);
    return core === undefined || core !== this.refused;
  }
}

const CLIENT = 10;
const OTHER = 11;
/** Requests between two looks. */
const WINDOW = 128;
/** More than that. */
const MANY = 1000;

function placed(isBusy = () => true): { cores: FakeCores; placement: Placement; serve: (...pids: number[]) => void } {
  const cores = new FakeCores();
  cores.clients.set(CLIENT, 2).set(OTHER, 3);
  const placement = new Placement(cores, { isBusy });
  const serve = (...pids: number[]) => {
    for (let i = 0; i < MANY; i++) {
      placement.observe(pids[i % pids.length]!);
    }
  };
  return { cores, placement, serve };
}

t.test('beside a lone client, wherever it goes', (t) => {
  const { cores, placement, serve } = placed();
  t.equal(placement.isBesideClient, false);
  serve(CLIENT);
  t.equal(placement.isBesideClient, true);
  cores.clients.set(CLIENT, 5);
  serve(CLIENT);
  serve(OTHER);
  t.same(
    cores.moves.filter((core) => core !== undefined),
    [2, 5, 3],
  );
  cores.clients.delete(OTHER);
  serve(OTHER);
  t.equal(placement.isBesideClient, false, 'gone');
  t.equal(cores.moves.at(-1), undefined);
  t.end();
});

t.test('what the kernel does for itself is nobody else', (t) => {
  const { cores, serve } = placed();
  serve(CLIENT, 0);
  t.same(cores.moves, [2]);
  const { cores: unused, serve: serveKernel } = placed();
  serveKernel(0);
  t.same(unused.moves, []);
  t.end();
});

t.test('several clients, and cores that are idle, leave it free to move', (t) => {
  let isBusy = true;
  const { cores, placement, serve } = placed(() => isBusy);
  serve(CLIENT, OTHER);
  t.same(cores.moves, []);
  serve(CLIENT);
  isBusy = false;
  serve(CLIENT);
  t.same(cores.moves, [2, undefined]);
  isBusy = true;
  serve(CLIENT);
  serve(CLIENT, OTHER);
  t.same(cores.moves, [2, undefined, 2, undefined]);
  serve(CLIENT);
  placement.close();
  t.equal(cores.moves.at(-1), undefined, 'and so does the end');
  t.end();
});

t.test('a lone client, as far as is known', (t) => {
  const { placement } = placed(() => false);
  const serve = (requests: number, pid: number): void => {
    for (let i = 0; i < requests; i++) placement.observe(pid);
  };
  t.equal(placement.hasLoneClient, false, 'at first');
  serve(WINDOW - 1, CLIENT);
  t.equal(placement.hasLoneClient, false, 'until enough is known');
  serve(1, CLIENT);
  t.equal(placement.hasLoneClient, true, 'whether cores are busy or not');
  serve(WINDOW - 1, OTHER);
  t.equal(placement.hasLoneClient, true, 'until the next look');
  serve(1, OTHER);
  t.equal(placement.hasLoneClient, true, 'which finds another one, alone as well');
  // Each change of client counts once.
  const changes = (count: number): void => {
    for (let i = 0; i < count; i++) placement.observe(i % 2 === 0 ? CLIENT : OTHER);
    serve(WINDOW - count, count % 2 === 0 ? OTHER : CLIENT);
  };
  changes(8);
  t.equal(placement.hasLoneClient, true, 'few requests of others');
  changes(16);
  t.equal(placement.hasLoneClient, false, 'many of them');
  serve(WINDOW * 0.75, 0);
  serve(WINDOW * 0.25, OTHER);
  t.equal(placement.hasLoneClient, true, 'what the kernel does for itself is nobody else');
  serve(WINDOW, 0);
  t.equal(placement.hasLoneClient, false, 'nor is it a client');
  t.end();
});

t.test('a core that may not be used', (t) => {
  const { cores, placement, serve } = placed();
  cores.refused = 2;
  serve(CLIENT);
  t.equal(placement.isBesideClient, false);
  t.equal(cores.moves.at(-1), undefined);
  t.end();
});

t.test('the cores of this machine', async (t) => {
  const allowed = (): string | undefined =>
    /^Cpus_allowed_list:\t(.*)$/m.exec(readFileSync(`/proc/self/task/${process.pid}/status`, 'latin1'))?.[1];
  const before = allowed();
  const cores = new HostCores();
  const own = cores.of(process.pid);
  t.type(own, 'number');
  t.equal(cores.of(0x7fff_ffff), undefined);
  t.equal(cores.confine(own), false, 'not before the threads of libuv have begun');
  while (!cores.confine(own)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(allowed(), String(own));
  t.equal(cores.confine(8000), false);
  t.equal(cores.confine(undefined), true);
  t.equal(allowed(), before);
});
