import { readFileSync } from 'node:fs';
import t from 'tap';
import { mountAt } from '../../src/mount/mount-table.js';
import { widenReadAhead } from '../../src/mount/read-ahead.js';
import { Place } from './mounting.js';

const readAheadKib = (device: string): number =>
  Number(readFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, 'latin1'));

t.test('the kernel reads a request ahead where that may be set', async (t) => {
  if (process.getuid?.() !== 0) {
    t.comment('only root may set it');
    return;
  }
  const place = new Place(t);
  await place.mounted();
  const device = mountAt(place.mountPoint)?.device;
  t.type(device, 'string');
  if (device !== undefined) t.equal(readAheadKib(device), 1024);
  await place.umount();
});

t.test('a device without such a setting is left alone', async (t) => {
  t.doesNotThrow(() => widenReadAhead('0:0'));
});
