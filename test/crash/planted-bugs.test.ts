/**
 * The crash tests find the bugs that they are for: each is planted into the real code, and a violation must turn up soon.
 * The seed is fixed, so that this does not depend on chance; RAZORFS_SEED sets another one.
 *
 * @timeout 400
 */
import t from 'tap';
import { Random } from '../random.js';
import { newStore, runNamed, runSeed } from './campaign.js';
import { newTally } from './explore.js';
import { PLANTED_BUGS } from './planted-bugs.js';

/** Crash states in which each bug must show. */
const STATES_MAX = 40_000;

t.test('planted bugs are found', async (t) => {
  const firstSeed = Number(process.env.RAZORFS_SEED ?? 1);
  t.comment(`seed ${firstSeed}`);
  const store = await newStore();
  const table: string[] = [];
  for (const { name, plant, seed: known, isOfSnapshots } of PLANTED_BUGS) {
    const tally = newTally();
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    const remove = plant();
    let isFound = false;
    try {
      isFound = known !== undefined && (await runSeed(store, known, tally)) !== undefined;
      if (!isOfSnapshots) isFound ||= (await runNamed(store, new Random(firstSeed), tally)) !== undefined;
      for (let seed = firstSeed; !isFound && tally.crashStates < STATES_MAX; seed++) {
        isFound = (await runSeed(store, seed, tally, isOfSnapshots)) !== undefined;
      }
    } finally {
      remove();
    }
    t.ok(isFound, name);
    const figures = `${seconds().toFixed(1).padStart(6)} s ${String(tally.crashStates).padStart(6)} states`;
    table.push(`${figures}   ${name}${isFound ? '' : ': NOT FOUND'}`);
  }
  t.comment(`  found after`);
  for (const line of table) t.comment(line);
  const clean = await runSeed(store, firstSeed, newTally());
  t.equal(clean, undefined, 'and without them there is none');
});
