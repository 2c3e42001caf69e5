/**
 * `npm run crash`: random histories on the simulated disk, crashed and compared with the model (test/crash/).
 *
 *     npm run crash -- --seed N        the history of one seed
 *     npm run crash -- --minutes M     as many as fit, from a random seed on or from --seed; stops at the first violation
 *     … --snapshots                    histories with snapshots, rollbacks and resets in them
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { describeViolation, newStore, runSeed } from '../test/crash/campaign.js';
import { newTally } from '../test/crash/explore.js';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, minutes: { type: 'string' }, snapshots: { type: 'boolean' } },
});
const numberOf = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} takes a number; ${JSON.stringify(text)} is none.`);
  process.exit(2);
};

const seedGiven = numberOf('seed', values.seed);
const minutes = numberOf('minutes', values.minutes);
if (seedGiven === undefined && minutes === undefined) {
  console.error('Say --seed N to replay one history, or --minutes M to run many.');
  process.exit(2);
}

const first = seedGiven ?? randomInt(1e9);
const end = performance.now() + (minutes ?? 0) * 60_000;
const tally = newTally();
const store = await newStore();
for (let seed = first; ; seed++) {
  const found = await runSeed(store, seed, tally, values.snapshots);
  if (found !== undefined) {
    console.log(await describeViolation(store, seed, found));
    console.log(`Replay it with: npm run crash -- --seed ${seed}${values.snapshots ? ' --snapshots' : ''}`);
    process.exitCode = 1;
    break;
  }
  if (performance.now() >= end) break;
}
const { histories, crashStates, duringRecovery } = tally;
console.log(
  `${histories} histories from seed ${first}, ${crashStates} crash states, ${duringRecovery} of them during recovery`,
);
console.log(`${process.exitCode === 1 ? 1 : 0} violations`);
