/** The clock of time stamps. */
import t from 'tap';
import { inodeTime } from '../../src/native/addon.js';

/** More than a tick of the slowest timer that kernels are built with. */
const TICK_MS_MAX = 20;

t.test('the clock is the present, up to a tick behind', (t) => {
  const beforeMs = Date.now();
  const { seconds, nanoseconds } = inodeTime();
  const shownMs = seconds * 1000 + nanoseconds / 1e6;
  t.ok(shownMs >= beforeMs - TICK_MS_MAX && shownMs <= Date.now() + 1, `${shownMs} at ${beforeMs}`);
  t.ok(Number.isInteger(nanoseconds) && nanoseconds >= 0 && nanoseconds < 1e9);
  t.end();
});
