/** Snapshots by the clock: taken when they are due, pruned when their time is over. */
import t from 'tap';
import { reset } from '../../src/filesystem/reset.js';
import { Schedule } from '../../src/mount/schedule.js';
import { Datasets } from '../../src/volume/datasets.js';
import { timestampOf } from '../../src/volume/inode.js';
import { DEFAULTS_KEY, INTERVAL_PROPERTY, RETENTION_PROPERTY } from '../../src/volume/properties.js';
import { MADE_BY } from '../../src/volume/prune.js';
import { received, sent, tokenIn } from '../transfer/streams.js';
import { ServedVolume, SMALL_GEOMETRY, VOLUME_OPTIONS } from '../volume/served-volume.js';

const HOUR = 3_600_000;

t.test('snapshots are taken on an interval and pruned by their age', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  let nowMs = Date.UTC(2026, 0, 1);
  await served.reopen({ now: () => timestampOf(nowMs) });
  const datasets = new Datasets(served.store);
  const schedule = new Schedule(served.store, VOLUME_OPTIONS.log, async () => undefined);
  const names = (): string[] => datasets.snapshots('main').map(({ name }) => name);
  await schedule.tick(true);
  t.strictSame(names(), [], 'not asked for');
  await datasets.createSnapshot('main', 'mine');
  await datasets.setProperties(datasets.volume('main'), { [INTERVAL_PROPERTY]: '1h' });
  await schedule.tick(true);
  t.strictSame(names(), ['mine', 'auto-2026-01-01T00.00.00Z']);
  served.makeFile('a', Buffer.from('a'));
  nowMs += HOUR / 2;
  await schedule.tick(true);
  t.equal(names().length, 2, 'not yet');
  nowMs += HOUR / 2;
  await schedule.tick(true);
  t.equal(names().length, 3);
  nowMs += HOUR;
  await schedule.tick(true);
  t.equal(names().length, 3, 'nothing has changed since');
  nowMs += 29 * 24 * HOUR;
  await schedule.tick(true);
  t.equal(names().length, 3, 'still within 30 days');
  nowMs += 24 * HOUR;
  await schedule.tick(true);
  t.strictSame(names(), ['mine'], 'what was asked for by name stays');
  served.makeFile('b', Buffer.from('b'));
  await datasets.setProperties(datasets.volume('main'), { [RETENTION_PROPERTY]: 'last=1' });
  for (let hour = 0; hour < 3; hour++) {
    served.makeFile(`c${hour}`, Buffer.from('c'));
    nowMs += HOUR;
    await schedule.tick(true);
  }
  t.equal(names().length, 2, 'by the rule of the volume');
  await schedule.stop();
  await served.store.close();
});

t.test('old roots of resets are kept for 30 days', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  let nowMs = Date.UTC(2026, 0, 1);
  await served.reopen({ now: () => timestampOf(nowMs) });
  const datasets = new Datasets(served.store);
  const schedule = new Schedule(served.store, VOLUME_OPTIONS.log, async () => undefined);
  const names = (): string[] => datasets.snapshots('main').map(({ name }) => name);
  await datasets.createSnapshot('main', 'blank');
  served.makeFile('a', Buffer.from('a'));
  const { kept } = await reset(served.store, datasets, datasets.volume('main'));
  nowMs += 29 * 24 * HOUR;
  await schedule.tick(true);
  t.strictSame(names(), ['blank', kept]);
  nowMs += 2 * 24 * HOUR;
  await schedule.tick(true);
  t.strictSame(names(), ['blank']);
  await schedule.stop();
  await served.store.close();
});

t.test('a clock that was ahead does not keep snapshots from being taken', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  let nowMs = Date.UTC(2036, 0, 1);
  await served.reopen({ now: () => timestampOf(nowMs) });
  const datasets = new Datasets(served.store);
  const schedule = new Schedule(served.store, VOLUME_OPTIONS.log, async () => undefined);
  await datasets.setProperties(datasets.volume('main'), { [INTERVAL_PROPERTY]: '1h' });
  await schedule.tick(true);
  nowMs = Date.UTC(2026, 0, 1);
  for (const name of ['a', 'b']) {
    served.makeFile(name, Buffer.from('a'));
    await schedule.tick(true);
  }
  t.equal(datasets.snapshots('main').length, 2, 'at once, and then on the interval');
  await schedule.stop();
  await served.store.close();
});

t.test('an unfinished reception is left as it is', async (t) => {
  const from = await ServedVolume.make(t, SMALL_GEOMETRY);
  from.makeFile('a', Buffer.from('a'));
  const stream = await sent(from.store, await new Datasets(from.store).createSnapshot('main', 'one'));
  const target = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(target.store);
  await datasets.setProperties(datasets.volume('main'), { [DEFAULTS_KEY]: { [INTERVAL_PROPERTY]: '1h' } });
  const broken = received(target.store, stream.subarray(0, -100), { volume: 'copy', isResumable: true });
  await t.rejects(broken, { code: 'bad-stream' });
  const token = tokenIn(target.store);
  const schedule = new Schedule(target.store, VOLUME_OPTIONS.log, async () => undefined);
  await schedule.tick(true);
  t.equal(tokenIn(target.store), token);
  const rest = await sent(from.store, new Datasets(from.store).snapshot('main', 'one'), undefined, token);
  t.equal((await received(target.store, rest, { isResumable: true, volume: 'copy' })).name, 'copy@one');
  await schedule.stop();
  await Promise.all([from.store.close(), target.store.close()]);
});

t.test('what was taken by the clock elsewhere and received here is not pruned by itself', async (t) => {
  const from = await ServedVolume.make(t, SMALL_GEOMETRY);
  const old = await new Datasets(from.store).createSnapshot('main', 'auto', { [MADE_BY]: 'interval' });
  const target = await ServedVolume.make(t, SMALL_GEOMETRY);
  await received(target.store, await sent(from.store, old), { volume: 'copy' });
  await target.reopen({ now: () => timestampOf(old.createdMs + 40 * 24 * HOUR) });
  const schedule = new Schedule(target.store, VOLUME_OPTIONS.log, async () => undefined);
  await schedule.tick(true);
  t.equal(new Datasets(target.store).snapshots('copy').length, 1);
  await schedule.stop();
  await Promise.all([from.store.close(), target.store.close()]);
});
