/**
 * Long random histories of several lives, with checkpoints, crashes in between and crashes during recovery: a fixed set of seeds,
 * the same at each run. `npm run crash -- --minutes M` looks at new ones.
 *
 * @timeout 300
 */
import t from 'tap';
import { describeViolation, newStore, runSeed } from './campaign.js';
import { newTally } from './explore.js';

const SEEDS = 220;

t.test('random histories keep the contract whenever they are cut off', async (t) => {
  t.comment(`seeds 1 to ${SEEDS}`);
  const tally = newTally();
  const store = await newStore();
  for (let seed = 1; seed <= SEEDS; seed++) {
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
