/**
 * `kill -9` of everything while writers run, again and again on one store: what had returned is there, and razorfsck finds
 * nothing, each time.
 */
import t from 'tap';
import { Random } from '../random.js';
import { KillRounds } from './kill-rounds.js';
import { MountedStore } from './mounted-store.js';

const ROUNDS = 20;
const WRITERS = 3;
/** Most kills come early, so that the beginning of a mount has its share; some after thousands of operations. */
const OPERATIONS_EXPONENT_MAX = 11;
const TIMEOUT_MS = 115_000;
/** Rounds that stay in the store, to be compared again after later kills. */
const ROUNDS_KEPT = 5;

t.setTimeout(TIMEOUT_MS);

t.test(
  `${ROUNDS} kills of a mount with ${WRITERS} writers lose nothing that had returned`,
  { timeout: TIMEOUT_MS },
  async (t) => {
    const mounted = new MountedStore(t);
    const random = Random.announced(t);
    await mounted.mounted();
    const rounds = new KillRounds(mounted, random, WRITERS);
    t.teardown(() => rounds.stop());
    let operations = 0;
    let replayed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const report = await rounds.round(random.below(2 ** (1 + random.below(OPERATIONS_EXPONENT_MAX))));
      operations += report.operations;
      replayed += report.mount.recovery.operationsReplayed;
      if (report.failures.length > 0) {
        t.fail(`round ${round}`, { failures: report.failures.slice(0, 20) });
        return;
      }
      if (round >= ROUNDS_KEPT) {
        t.same(await rounds.compare(round - ROUNDS_KEPT), [], 'what an earlier round had left is still there');
        rounds.forget(round - ROUNDS_KEPT);
      }
    }
    t.comment(`${operations} operations returned, ${replayed} were replayed`);
    t.ok(operations > ROUNDS, 'the writers did work');
    await mounted.unmounted();
    await mounted.checked();
  },
);
