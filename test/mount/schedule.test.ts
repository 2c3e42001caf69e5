/** Snapshots by the clock: taken when they are due, pruned when their time is over. */
import t from 'tap';
import { reset } from '../../src/filesystem/reset.js';
import { Schedule } from '../../src/mount/schedule.js';
import { Datasets } from '../../src/volume/datasets.js';
import { timestampOf } from '../../src/volume/inode.js';
import { INTERVAL_PROPERTY, RETENTION_PROPERTY } from '../../src/volume/properties.js';
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
