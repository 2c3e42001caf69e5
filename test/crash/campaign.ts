/**
 * Runs of many random histories, each from a seed of its own that replays it: what the tests, the planted bugs and
 * `npm run crash` have in common.
 */
import { Random } from '../random.js';
import { type ExploreOptions, explore, FoundViolation, type Tally } from './explore.js';
import { formatHistory, randomHistory } from './histories.js';
import type { Step } from './model.js';
import { crashesIn, NAMED_HISTORIES } from './named-histories.js';
import { shrink } from './shrink.js';
import { SimulatedDisk } from './simulated-disk.js';
import { makeStore } from './small-store.js';

const SHRINK_SECONDS = 60;

export async function newStore(): Promise<SimulatedDisk> {
  const store = new SimulatedDisk();
  await makeStore(store);
  return store;
}

/** The history of a seed, and how it is crashed. Small seeds are no simpler than large ones. */
function planOf(seed: number, tally: Tally, hasSnapshots: boolean): { steps: Step[]; options: ExploreOptions } {
  const random = new Random(seed);
  const length = random.pick([5, 10, 20, 40, 80]);
  const steps = randomHistory(random, length, hasSnapshots);
  // Long histories are crashed at fewer of their steps, so that each costs about the same.
  const crashPercent = Math.min(100, 300 / length);
  const options: ExploreOptions = {
    random,
    tally,
    hasReflinks: seed % 2 === 0,
    durability: random.below(8) === 0 ? 'sync' : 'interval',
    isLone: seed % 2 === 1,
    crashesAt: () => random.below(100) < crashPercent,
    randomFates: 2,
    recoveryCrashPercent: 10,
    aftercarePercent: 20,
  };
  return { steps, options };
}

/** Runs the history of one seed. Returns the violation that it finds. */
export async function runSeed(
  store: SimulatedDisk,
  seed: number,
  tally: Tally,
  hasSnapshots = false,
): Promise<FoundViolation | undefined> {
  const { steps, options } = planOf(seed, tally, hasSnapshots);
  return violationOf(store, steps, options);
}

/** Crashes the named histories. Returns the first violation. */
export async function runNamed(
  store: SimulatedDisk,
  random: Random,
  tally: Tally,
): Promise<FoundViolation | undefined> {
  for (const steps of Object.values(NAMED_HISTORIES)) {
    const found = await violationOf(store, steps, {
      random,
      tally,
      crashesAt: crashesIn(steps, () => random.below(100)),
      randomFates: 6,
      recoveryCrashPercent: steps.length <= 12 ? 40 : 2,
      aftercarePercent: 5,
    });
    if (found !== undefined) return found;
  }
  return undefined;
}

async function violationOf(
  store: SimulatedDisk,
  steps: readonly Step[],
  options: ExploreOptions,
): Promise<FoundViolation | undefined> {
  try {
    await explore(store, steps, options);
    return undefined;
  } catch (error) {
    if (error instanceof FoundViolation) return error;
    throw error;
  }
}

/** A report of a violation, with the shortest history found that shows one. */
export async function describeViolation(store: SimulatedDisk, seed: number, found: FoundViolation): Promise<string> {
  const { options } = planOf(seed, { histories: 0, crashStates: 0, duringRecovery: 0 }, false);
  const fails = async (steps: readonly Step[]): Promise<string | undefined> => {
    for (let attempt = 0; attempt <= 2; attempt++) {
      const random = new Random(attempt);
      // Some fail without a further crash, which is found out much faster.
      const crashesAt = (): boolean => attempt > 0;
      const crashing = { ...options, random, crashesAt, randomFates: 4, recoveryCrashPercent: 20 };
      const violation = await violationOf(store, steps, crashing);
      if (violation !== undefined) return violation.message;
    }
    return undefined;
  };
  const shrunk = await shrink(found.steps, fails, SHRINK_SECONDS);
  const lines = [`seed ${seed}: ${found.message}`];
  if (shrunk === undefined) lines.push(formatHistory(found.steps));
  else lines.push(`shrunk to ${shrunk.steps.length} steps: ${shrunk.reason}`, formatHistory(shrunk.steps));
  return lines.join('\n');
}
