/**
 * `npm run crash`: random histories on the simulated disk, crashed and compared with the model (test/crash/). `--help` says how to
 * use it.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { describeViolation, newStore, runSeed } from '../test/crash/campaign.js';
import { newTally } from '../test/crash/explore.js';

function number(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value >= 0)) throw new InvalidArgumentError('A number is needed.');
  return value;
}

const command = new Command('crash')
  .description(
    'Random histories on a simulated disk, crashed everywhere and compared with a model of what is promised.',
  )
  .option('--seed <N>', 'the history of this seed', number)
  .option(
    '--minutes <M>',
    'as many histories as fit, from --seed or a random seed on, up to the first violation',
    number,
  )
  .option('--snapshots', 'histories with snapshots, clones, rollbacks and resets in them')
  .addHelpText('after', '\nExit codes: 0 no violation, 1 a violation, 2 the command line was not understood.')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const values = command.opts<{ readonly seed?: number; readonly minutes?: number; readonly snapshots?: boolean }>();
const { seed: seedGiven, minutes } = values;
if (seedGiven === undefined && minutes === undefined) {
  command.error('Say --seed N to replay one history, or --minutes M to run many.');
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
