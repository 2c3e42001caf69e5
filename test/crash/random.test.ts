/**
 * Long random histories of several lives, with checkpoints, crashes in between and crashes during recovery: a fixed set of seeds,
 * and new ones for as long as there is time. `npm run crash` goes on where this stops.
 */
import { randomInt } from 'node:crypto';
import t from 'tap';
import { describeViolation, newStore, runSeed } from './campaign.js';
import { newTally } from './explore.js';

const FIXED_SEEDS = 60;
/** Seconds for all. */
const SECONDS_MAX = Number(process.env.RAZORFS_CRASH_SECONDS ?? 40);

t.setTimeout(200_000);

t.test('random histories keep the contract whenever they are cut off', { timeout: 200_000 }, async (t) => {
  const fresh = Number(process.env.RAZORFS_SEED ?? randomInt(1e9));
  t.comment(`seeds 1 to ${FIXED_SEEDS}, then from ${fresh} on`);
  const tally = newTally();
  const store = await newStore();
  const end = performance.now() + SECONDS_MAX * 1000;
  for (let count = 1; count <= FIXED_SEEDS || performance.now() < end; count++) {
    const seed = count <= FIXED_SEEDS ? count : fresh + count;
    const found = await runSeed(store, seed, tally);
    if (found === undefined) continue;
    t.fail(await describeViolation(store, seed, found));
    return;
  }
  t.comment(
    `${tally.histories} histories, ${tally.crashStates} crash states, ${tally.duringRecovery} during recovery, 0 violations`,
  );
  t.ok(tally.crashStates > 1000, 'enough crash states to mean something');
});
