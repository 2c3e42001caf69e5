/** The clock for time stamps, by a host's clock that tests set. */
import t from 'tap';
import { wallClock } from '../../src/mount/wall-clock.js';

const START_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

class Host {
  elapsedMs = 0;
  stepMs = 0;
  readonly now = wallClock(
    () => Math.floor(START_MS + this.elapsedMs + this.stepMs),
    () => 5000 + this.elapsedMs,
  );

  /** Whether the clock tells the host's time, to the millisecond. */
  get isRight(): boolean {
    return Math.floor(this.now()) === Math.floor(START_MS + this.elapsedMs + this.stepMs);
  }
}

t.test('it never stands still and never goes back while the host counts evenly', (t) => {
  const host = new Host();
  let before = host.now();
  for (let step = 1; step <= 10_000; step++) {
    host.elapsedMs = step * 0.0137;
    const now = host.now();
    if (now <= before) t.fail(`step ${step}: ${before}, then ${now}`);
    before = now;
  }
  t.ok(host.isRight);
  t.end();
});

for (const stepMs of [HOUR_MS, -HOUR_MS, 40, -40]) {
  t.test(`it follows the host's clock when that is set by ${stepMs} ms, or the machine has slept`, (t) => {
    const host = new Host();
    host.elapsedMs = 1000;
    t.ok(host.isRight);
    host.stepMs = stepMs;
    t.ok(host.isRight, 'at once');
    const before = host.now();
    host.elapsedMs += 0.01;
    t.ok(host.now() >= before, 'and then goes on');
    host.elapsedMs += 1000;
    t.ok(host.isRight);
    t.end();
  });
}
