/**
 * The store's lock, between processes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { StoreError } from '../../src/errors/store-error.js';
import { lockState, parseHolder, StoreLock } from '../../src/store/lock.js';

const MODULE = JSON.stringify(new URL('../../src/store/lock.js', import.meta.url).href);

/** A process that holds the lock of `directory` until it is killed. */
const holderOf = async (t: Test, directory: string, mountPoint: string): Promise<ChildProcess> => {
  const script = `import(${MODULE}).then(({ StoreLock }) => {
    globalThis.lock = StoreLock.acquire(${JSON.stringify(directory)}, 'razorfs', ${JSON.stringify(mountPoint)});
    console.log('held');
    setInterval(() => {}, 1000);
  })`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return child;
};

const refusal = (directory: string): StoreError => {
  try {
    StoreLock.acquire(directory, 'razorfs', '').release();
  } catch (error) {
    return error as StoreError;
  }
  throw new Error('the lock was free');
};

t.test('taken, named, released, taken again', (t) => {
  const store = t.testdir();
  t.same(lockState(store), { held: false }, 'there is not even a file');
  const lock = StoreLock.acquire(store, 'razorfs', '/mnt/a');
  const state = lockState(store);
  t.match(state, {
    held: true,
    holder: { pid: process.pid, command: 'razorfs', mountPoint: '/mnt/a', host: hostname() },
  });
  t.ok(state.held && Math.abs(Date.now() - Date.parse(state.holder!.startedAt)) < 60_000);
  t.equal(fs.statSync(path.join(store, 'lock')).mode & 0o777, 0o600);

  const error = refusal(store);
  t.equal(error.code, 'in-use');
  t.match(error.message, `The store ${store} is in use: mounted at /mnt/a by process ${process.pid} (razorfs)`);
  t.match(error.advice, 'razorfs umount /mnt/a');

  lock.release();
  t.same(lockState(store), { held: false });
  t.ok(fs.existsSync(path.join(store, 'lock')), 'the file stays');
  const again = StoreLock.acquire(store, 'razorfsck', '');
  t.match(refusal(store).message, `in use by process ${process.pid} (razorfsck)`);
  again.release();
  t.end();
});

t.test('killed holder: free at once, whatever the file says', async (t) => {
  const store = t.testdir();
  const child = await holderOf(t, store, '/mnt/b');
  t.match(refusal(store).message, `mounted at /mnt/b by process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.same(lockState(store), { held: false });
  t.match(fs.readFileSync(path.join(store, 'lock'), 'utf8'), '/mnt/b', 'the name of the dead is still there');
  StoreLock.acquire(store, 'razorfs', '/mnt/a-longer-name-than-before').release();
});

t.test('an inherited descriptor keeps the store locked', async (t) => {
  const store = t.testdir();
  const lock = StoreLock.acquire(store, 'razorfs', '/mnt/c');
  const child = spawn(process.execPath, ['-e', "console.log('up'); setInterval(() => {}, 1000)"], {
    stdio: ['ignore', 'pipe', 'inherit', lock.descriptor],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  fs.closeSync(lock.descriptor);
  t.match(refusal(store).message, '/mnt/c');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.same(lockState(store), { held: false });
});

t.test('looking does not keep others out', async (t) => {
  const store = t.testdir({ lock: '' });
  const script = `import(${MODULE}).then(({ lockState }) => {
    console.log('looking');
    setInterval(() => lockState(${JSON.stringify(store)}), 1);
  })`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  let refused = 0;
  for (let i = 0; i < 200; i++) {
    try {
      StoreLock.acquire(store, 'razorfs', '').release();
    } catch {
      refused++;
    }
  }
  t.equal(refused, 0);
});

t.test('the content is not trusted', (t) => {
  const good = { pid: 1, command: 'razorfs', mountPoint: '', startedAt: 'x', host: 'h' };
  t.same(parseHolder(JSON.stringify(good)), good);
  t.same(parseHolder(JSON.stringify({ ...good, more: 1 })), good);
  const { host: _, ...incomplete } = good;
  for (const content of [
    '',
    'x',
    'null',
    '1',
    '[]',
    '{}',
    JSON.stringify(incomplete),
    JSON.stringify({ ...good, pid: '1' }),
  ]) {
    t.equal(parseHolder(content), undefined, content);
  }
  const store = t.testdir({ lock: '\0'.repeat(100_000) });
  t.same(lockState(store), { held: false });
  const lock = StoreLock.acquire(store, 'razorfs', '');
  fs.writeFileSync(path.join(store, 'lock'), 'garbage');
  t.same(lockState(store), { held: true, holder: undefined });
  t.match(refusal(store).message, 'in use by another process');
  lock.release();
  t.end();
});

t.test('places that cannot be locked', (t) => {
  const store = t.testdir({ file: '' });
  t.equal(refusal(path.join(store, 'missing')).code, 'not-a-store');
  t.equal(refusal(path.join(store, 'file')).code, 'not-a-store');
  fs.mkdirSync(path.join(store, 'odd/lock'), { recursive: true });
  t.equal(refusal(path.join(store, 'odd')).code, 'io-error');
  t.end();
});
