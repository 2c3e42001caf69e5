/** Commands that take their time, while others destroy what they are about. */
import t, { type Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { planPrune, prune } from '../../src/volume/prune.js';
import { NO_LIMIT } from '../../src/volume/quota-record.js';
import { Quotas } from '../../src/volume/quotas.js';
import { received, sent } from '../transfer/streams.js';
import { CALLER, ServedVolume } from './served-volume.js';

async function withSnapshots(
  test: Test,
  ...names: readonly string[]
): Promise<{ served: ServedVolume; datasets: Datasets }> {
  const served = await ServedVolume.make(test);
  const datasets = new Datasets(served.store);
  for (const name of names) await datasets.createSnapshot('main', name);
  return { served, datasets };
}

/** The store goes on, and can be opened again. */
async function isWell(test: Test, served: ServedVolume): Promise<void> {
  test.equal(served.store.readOnlyReason, '');
  await served.store.commit('all');
  await served.reopen();
  await served.store.close();
}

t.test('two commands destroy a snapshot', async (test) => {
  const { served, datasets } = await withSnapshots(test, 'one');
  const one = datasets.snapshot('main', 'one');
  const [first, second] = await Promise.allSettled([datasets.destroy(one), datasets.destroy(one)]);
  test.equal(first.status, 'fulfilled');
  test.match(second, { status: 'rejected', reason: { code: 'no-such-snapshot' } });
  await isWell(test, served);
});

t.test('what is destroyed has neither properties nor another name', async (test) => {
  const { served, datasets } = await withSnapshots(test, 'one');
  const one = datasets.snapshot('main', 'one');
  await datasets.destroy(one);
  await test.rejects(datasets.hold(one, 'tag'), { code: 'no-such-snapshot' });
  await test.rejects(datasets.rename(one, 'two'), { code: 'no-such-snapshot' });
  await isWell(test, served);
});

t.test('pruning leaves no moment for another command', async (test) => {
  const { served, datasets } = await withSnapshots(test, 'one', 'two', 'three');
  const verdicts = planPrune(datasets, datasets.volume('main'), { last: 1 }, Date.now(), false);
  const pruning = prune(datasets, verdicts);
  test.throws(() => datasets.snapshot('main', 'two'), { code: 'no-such-snapshot' });
  test.strictSame(await pruning, ['two', 'one']);
  await isWell(test, served);
});

t.test('of snapshots of which one is held, none is destroyed', async (test) => {
  const { served, datasets } = await withSnapshots(test, 'one', 'two');
  await datasets.hold(datasets.snapshot('main', 'two'), 'tag');
  await test.rejects(datasets.destroy(...datasets.snapshots('main')), { code: 'held' });
  test.equal(datasets.snapshots('main').length, 2);
  await isWell(test, served);
});

t.test('a quota is set on a volume that is gone', async (test) => {
  const { served, datasets } = await withSnapshots(test, 'one');
  const volume = await datasets.createVolume('other', datasets.snapshot('main', 'one'), { uid: 0, gid: 0 });
  await datasets.destroy(volume);
  await test.rejects(new Quotas(served.store).set(volume, 'a', { bytes: 1, inodes: NO_LIMIT }));
  await isWell(test, served);
});

/** A store that has received the first of two snapshots as the volume `copy`, and the stream of what comes next. */
async function receiver(test: Test): Promise<{ target: ServedVolume; datasets: Datasets; next: Buffer }> {
  const { served: from, datasets } = await withSnapshots(test, 'one');
  from.makeFile('file', Buffer.alloc(300_000, 1));
  const two = await datasets.createSnapshot('main', 'two');
  const one = datasets.snapshot('main', 'one');
  const target = await ServedVolume.make(test);
  await received(target.store, await sent(from.store, one), { volume: 'copy' });
  const next = await sent(from.store, two, one);
  await from.store.close();
  return { target, datasets: new Datasets(target.store), next };
}

t.test('a volume is destroyed while it receives a snapshot', async (test) => {
  const { target, datasets, next } = await receiver(test);
  const destroy = (): Promise<void> => datasets.destroy(datasets.snapshot('copy', 'one'), datasets.volume('copy'));
  await test.rejects(received(target.store, next, {}, destroy), { code: 'no-such-volume' });
  const names = datasets.volumes.map(({ name }) => name);
  test.strictSame(names, ['main']);
  await isWell(test, target);
});

t.test('a volume that changes while it receives a snapshot keeps the change', async (test) => {
  const { target, datasets, next } = await receiver(test);
  const change = (): void => {
    const volume = target.store.volume('copy');
    if (volume === undefined) throw new Error('it is not there');
    new FileSystem(volume, { atime: 'noatime' }).makeNode(
      ROOT_INO,
      Buffer.from('new'),
      0o100644,
      0,
      CALLER,
      new Attributes(),
    );
  };
  await test.rejects(received(target.store, next, {}, change), { code: 'changed' });
  test.equal(datasets.snapshots('copy').length, 1);
  test.equal((await received(target.store, next, { force: true })).name, 'copy@two');
  await isWell(test, target);
});
