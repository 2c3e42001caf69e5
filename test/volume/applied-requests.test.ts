/** Which requests are known to have been applied, over checkpoints, restarts and deaths. */
import t, { type Test } from 'tap';
import { ROOT_INO } from '../../src/store/units.js';
import { Store } from '../../src/volume/store.js';
import { SimulatedDisk } from '../crash/simulated-disk.js';
import { makeStore, SAME_BOOT, settle, volumeOptions } from '../crash/small-store.js';

const KEPT = 4096;

async function resumed(disk: SimulatedDisk): Promise<Store> {
  return settle(disk, Store.open(disk, { ...volumeOptions(SAME_BOOT, () => 2e12), resume: true }));
}

async function begin(): Promise<{ disk: SimulatedDisk; store: Store }> {
  const disk = new SimulatedDisk();
  await makeStore(disk);
  return { disk, store: await resumed(disk) };
}

function change({ main }: Store, request: number): void {
  const time = { seconds: request, nanoseconds: 0 };
  const owner = { mode: 0o40755, uid: 0, gid: 0 };
  main.perform({ type: 'setAttributes', ino: ROOT_INO, ...owner, atime: time, mtime: time, ctime: time }, request);
}

function knowsFrom(t: Test, store: Store, first: number, last: number): void {
  for (let request = first; request <= last; request++) {
    if (!store.wasApplied(request)) t.fail(`request ${request} is not known`);
  }
}

t.test('as many as clients may wait for are known, after a death and after a restart', async (t) => {
  const { disk, store } = await begin();
  for (let request = 1; request <= 2 * KEPT; request++) change(store, request);
  const afterDeath = disk.afterProcessDeath();
  await settle(disk, store.suspend());
  for (const left of [afterDeath, disk.afterProcessDeath()]) {
    const successor = await resumed(left);
    knowsFrom(t, successor, KEPT + 1, 2 * KEPT);
    t.notOk(successor.wasApplied(1), 'the oldest is not');
    await settle(left, successor.suspend());
  }
});

t.test('the oldest are forgotten first, also by a second successor', async (t) => {
  const { disk, store } = await begin();
  const [first, last] = [1, KEPT + 1000];
  for (let request = first; request <= last; request++) change(store, request);
  await settle(disk, store.suspend());
  const successor = await resumed(disk);
  for (let request = 1; request <= 100; request++) change(successor, 10_000 + request);
  knowsFrom(t, successor, last - KEPT + 101, last);
  await settle(disk, successor.suspend());
});

t.test('numbers of a mount that has ended are forgotten', async (t) => {
  const { disk, store } = await begin();
  for (let request = 1; request <= 300; request++) change(store, request);
  await settle(disk, store.close());
  const next = await settle(
    disk,
    Store.open(
      disk,
      volumeOptions(SAME_BOOT, () => 2e12),
    ),
  );
  await settle(disk, next.suspend());
  const successor = await resumed(disk);
  t.notOk(successor.wasApplied(300));
  await settle(disk, successor.suspend());
});
