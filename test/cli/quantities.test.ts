/**
 * Durations, sizes and counts as people write and read them.
 */
import t from 'tap';
import { formatBytes, formatCount, formatDuration, formatNumberOf, parseDuration } from '../../src/cli/quantities.js';

t.test('reads durations', async (t) => {
  t.equal(parseDuration('500ms'), 500);
  t.equal(parseDuration('5s'), 5_000);
  t.equal(parseDuration('1.5m'), 90_000);
  t.equal(parseDuration('1h'), 3_600_000);
  for (const wrong of ['', '5', 's', '-1s', '5 s', '0s', '0.1ms', '25h', '1e3s', '5S']) {
    t.equal(parseDuration(wrong), undefined, wrong);
  }
});

t.test('writes durations', async (t) => {
  t.equal(formatDuration(0.4), '0 ms');
  t.equal(formatDuration(430), '430 ms');
  t.equal(formatDuration(5_000), '5 s');
  t.equal(formatDuration(2_149), '2.1 s');
  t.equal(formatDuration(200_000), '3 min 20 s');
  t.equal(formatDuration(18_120_000), '5 h 2 min');
  t.equal(formatDuration(3 * 86_400_000), '3 d');
});

t.test('writes sizes and counts', async (t) => {
  t.equal(formatBytes(0), '0 B');
  t.equal(formatBytes(1023), '1023 B');
  t.equal(formatBytes(4096), '4 KiB');
  t.equal(formatBytes(1024 * 1024 - 1), '1 MiB');
  t.equal(formatBytes(1.5 * 2 ** 30), '1.5 GiB');
  t.equal(formatCount(1204567), '1,204,567');
  t.equal(formatNumberOf(1, 'orphan'), '1 orphan');
  t.equal(formatNumberOf(0, 'orphan'), '0 orphans');
});
