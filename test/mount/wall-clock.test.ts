/** Time stamps follow the system's clock, however it moves, and are finer than it. */
import t from 'tap';
import { wallClock } from '../../src/mount/wall-clock.js';

t.test('the clock of the system is set, and the machine sleeps', (t) => {
  let [systemMs, steadyMs] = [1_000_000, 500];
  const now = wallClock({ system: () => Math.floor(systemMs), steady: () => steadyMs });
  const pass = (system: number, steady: number): number => {
    systemMs += system;
    steadyMs += steady;
    return now();
  };
  t.equal(pass(0.25, 0.25), 1_000_000.25);
  t.equal(pass(0.5, 0.5), 1_000_000.75, 'finer than milliseconds');
  t.equal(pass(3_600_000, 10), 4_600_000, 'an hour of sleep');
  t.equal(pass(0.125, 0.125), 4_600_000.125);
  t.ok(Math.abs(pass(-7_200_000, 0) - systemMs) <= 2, 'set back');
  for (let step = 0; step < 2000; step++) pass(1.001, 1);
  t.ok(Math.abs(now() - systemMs) <= 2, 'it counts faster');
  t.end();
});
