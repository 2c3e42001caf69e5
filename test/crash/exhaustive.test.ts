/**
 * Every history of a few steps over a few names, crashed before every disk operation of its last step and after it.
 *
 * Crashes in earlier steps belong to shorter histories. A history whose last step is refused, or changes nothing that a crash could
 * take, is as good as the shorter one and is left out, with all that would follow.
 *
 * @timeout 300
 */
import t from 'tap';
import { Random } from '../random.js';
import { newStore } from './campaign.js';
import { type ExploreOptions, explore, FoundViolation, newTally } from './explore.js';
import { ALPHABET, formatHistory } from './histories.js';
import { applyStep, type Step } from './model.js';
import type { State } from './model-state.js';
import { Session } from './session.js';

const LENGTH_MAX = Number(process.env.RAZORFS_CRASH_LENGTH ?? 4);

/** The histories of a length, as the model sees them: without those that contain a refused step. */
function* histories(state: State, length: number, steps: readonly Step[] = []): Generator<readonly Step[]> {
  if (length === 0) {
    yield steps;
    return;
  }
  for (const step of ALPHABET) {
    if (isPointless(steps.at(-1), step)) continue;
    try {
      const index = steps.length + 1;
      const { state: next } = applyStep(state, step, index, 100 + index, 2_000_000_000 + index);
      yield* histories(next, length - 1, [...steps, step]);
    } catch {
      // Refused.
    }
  }
}

/** A sync right after a sync, a checkpoint after a checkpoint. */
const isPointless = (before: Step | undefined, step: Step): boolean =>
  (step.op === 'forget' && before?.op !== 'unlink' && before?.op !== 'rename' && before?.op !== 'rmdir') ||
  (before !== undefined && step.op === before.op && (step.op === 'fsync' || step.op === 'checkpoint'));

t.test('short histories, all of them, keep the contract whenever they are cut off', async (t) => {
  const random = Random.announced(t);
  const tally = newTally();
  const store = await newStore();
  const session = await Session.open(store.afterProcessDeath(), { bootId: '0'.repeat(32) });
  const empty = session.present;
  await session.abandon();
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  for (let length = 1; length <= LENGTH_MAX; length++) {
    const first = { ...tally };
    for (const steps of histories(empty, length)) {
      const options: ExploreOptions = {
        random,
        tally,
        isLone: tally.histories % 2 === 0,
        crashesAt: (step) => step === length - 1,
        randomFates: 4,
        recoveryCrashPercent: length <= 2 ? 100 : 1,
        aftercarePercent: length <= 2 ? 100 : 5,
      };
      try {
        await explore(store, steps, options);
      } catch (error) {
        if (!(error instanceof FoundViolation)) throw error;
        t.fail(`${error.message}\n${formatHistory(steps)}`);
        return;
      }
    }
    const [count, states] = [tally.histories - first.histories, tally.crashStates - first.crashStates];
    t.comment(`length ${length}: ${count} histories, ${states} crash states, ${seconds().toFixed(1)} s in all`);
  }
  t.comment(`${tally.crashStates} crash states, ${tally.duringRecovery} of them during recovery`);
  t.ok(tally.crashStates > 10_000, 'enough crash states to mean something');
});
