/**
 * The named histories, each crashed at every step in every way, on disks with and without reflinks where that makes a difference.
 *
 * @timeout 300
 */
import t from 'tap';
import { Random } from '../random.js';
import { newStore } from './campaign.js';
import { explore, FoundViolation, newTally } from './explore.js';
import { crashesIn, NAMED_HISTORIES } from './named-histories.js';

t.setTimeout(200_000);

for (const [name, steps] of Object.entries(NAMED_HISTORIES)) {
  t.test(name, { timeout: 60_000 }, async (t) => {
    const random = Random.announced(t);
    const store = await newStore();
    const tally = newTally();
    try {
      const hasSnapshots = steps.some(({ op }) => op === 'snapshot');
      for (const hasReflinks of hasSnapshots ? [false, true] : [false]) {
        await explore(store, steps, {
          random,
          tally,
          hasReflinks,
          crashesAt: crashesIn(steps, () => random.below(100)),
          randomFates: 8,
          recoveryCrashPercent: steps.length <= 12 ? 20 : 2,
          aftercarePercent: 20,
        });
      }
      t.pass(`${tally.crashStates} crash states`);
    } catch (error) {
      if (!(error instanceof FoundViolation)) throw error;
      t.fail(error.message);
    }
  });
}
