/**
 * Watching descriptors from the event loop.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import t from 'tap';
import { errnoName, exchange, type ReadableWatch, socketPair, watchReadable } from '../../src/native/addon.js';

const pair = (): [number, number] => {
  const ends = socketPair();
  if (typeof ends === 'number') throw new Error(errnoName(ends));
  return ends;
};

const watchOf = (fd: number, callback: (status: number) => void): ReadableWatch => {
  const watch = watchReadable(fd, callback);
  if (typeof watch === 'number') throw new Error(errnoName(watch));
  return watch;
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ADDON = JSON.stringify(new URL('../../src/native/addon.js', import.meta.url).href);

t.test('calls while there is something to read, and only while started', async (t) => {
  const [ours, theirs] = pair();
  const bytes = new Uint8Array(16);
  let calls = 0;
  let drain = true;
  let called: () => void = () => {};
  const watch = watchOf(ours, (status) => {
    t.equal(status, 0);
    calls++;
    if (drain) exchange(ours, bytes, 0, bytes, 0);
    called();
  });
  const next = (): Promise<void> => new Promise((resolve) => (called = resolve));

  writeSync(theirs, Buffer.from('a'));
  await turn();
  await turn();
  t.equal(calls, 0, 'not before start');
  let waiting = next();
  watch.start();
  await waiting;
  await turn();
  await turn();
  t.equal(calls, 1, 'drained: not again');

  drain = false;
  waiting = next();
  writeSync(theirs, Buffer.from('b'));
  await waiting;
  await next();
  t.equal(calls, 3, 'not drained: again on the next turn');
  watch.stop();
  await turn();
  await turn();
  t.equal(calls, 3, 'not after stop');
  waiting = next();
  watch.start();
  await waiting;
  t.equal(calls, 4, 'started again');
  watch.close();
  watch.close();
  watch.start();
  await turn();
  await turn();
  t.equal(calls, 4, 'not after close');
  closeSync(ours);
  closeSync(theirs);
});

t.test('promises settled in the callback go on before the loop sleeps', async (t) => {
  const [ours, theirs] = pair();
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    const watch = watchOf(ours, () => {
      watch.close();
      void Promise.resolve().then(() => order.push('microtask'));
      setImmediate(() => {
        order.push('immediate');
        resolve();
      });
    });
    watch.start();
    writeSync(theirs, Buffer.from('x'));
  });
  t.same(order, ['microtask', 'immediate']);
  closeSync(ours);
  closeSync(theirs);
});

t.test('a descriptor that cannot be watched', (t) => {
  const regular = openSync(new URL(import.meta.url), 'r');
  t.equal(errnoName(watchReadable(-1, () => {}) as number), 'EBADF');
  t.equal(typeof watchReadable(regular, () => {}), 'number', 'a regular file');
  closeSync(regular);
  t.end();
});

const runScript = (body: string): ReturnType<typeof spawnSync> =>
  spawnSync(
    process.execPath,
    [
      '--expose-gc',
      '--input-type=module',
      '-e',
      `const a = await import(${ADDON}); const [x, y] = a.socketPair(); ${body}`,
    ],
    { encoding: 'utf8', timeout: 20_000 },
  );

t.test('an exception in the callback is an uncaught exception', (t) => {
  const run = runScript(`
    process.on('uncaughtException', (e) => { console.log('caught', e.message); process.exit(3); });
    const w = a.watchReadable(x, () => { throw new Error('from the callback'); });
    w.start();
    a.send(y, new Uint8Array(1), 1);`);
  t.equal(run.stdout, 'caught from the callback\n');
  t.equal(run.status, 3);
  t.end();
});

t.test('the process ends whatever state the watches are in', (t) => {
  const stopped = runScript(`const w = a.watchReadable(x, () => {}); w.start(); w.stop(); console.log('end');`);
  t.same([stopped.stdout, stopped.status], ['end\n', 0], 'a stopped watch does not hold the process');
  const started = runScript(`const w = a.watchReadable(x, () => {}); w.start(); console.log('end'); process.exit(5);`);
  t.same([started.stdout, started.status], ['end\n', 5], 'exit with a started watch');
  const worker = runScript(`
    const { Worker } = await import('node:worker_threads');
    const w = new Worker(\`import(${ADDON.replaceAll('"', "'")}).then((a) => {
      const [x] = a.socketPair(); globalThis.w = a.watchReadable(x, () => {}); w.start(); process.exit(0); })\`, { eval: true });
    w.on('exit', () => console.log('end'));`);
  t.same([worker.stdout, worker.status], ['end\n', 0], 'a worker that ends with a started watch');
  t.end();
});

t.test('collected watches: forgotten ones go, started ones stay', (t) => {
  const run = runScript(`
    for (let i = 0; i < 1000; i++) { const [p, q] = a.socketPair(); a.watchReadable(p, () => {}); }
    let calls = 0;
    (() => a.watchReadable(x, () => { calls++; const b = new Uint8Array(8); a.exchange(x, b, 0, b, 0); }).start())();
    for (let i = 0; i < 5; i++) { globalThis.gc(); await new Promise((r) => setImmediate(r)); }
    a.send(y, new Uint8Array(1), 1);
    await new Promise((r) => setImmediate(r));
    await new Promise((r) => setImmediate(r));
    console.log(calls);
    process.exit(0);`);
  t.same([run.stdout, run.status, run.stderr], ['1\n', 0, '']);
  t.end();
});
