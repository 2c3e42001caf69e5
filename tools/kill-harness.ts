/**
 * `npm run kill`: kills RazorFS under real work, for runs longer than the tests' (test/mounted/kill.test.ts) and with the same pieces.
 * Ends with exit code 1, and leaves the store for inspection, at the first broken promise. `--help` says how to use it.
 *
 * RAZORFS_SEED replays the choices of an earlier run; what the kill meets still depends on the machine.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { KillRounds } from '../test/mounted/kill-rounds.js';
import { LastingWork, workKinds } from '../test/mounted/lasting-work.js';
import { MountedStore } from '../test/mounted/mounted-store.js';
import { isRegistryReachable } from '../test/mounted/real-work.js';
import { killWorkers } from '../test/mounted/worker-rounds.js';
import { Random } from '../test/random.js';

const WRITERS = 3;
const OPERATIONS_BEFORE_KILL_MAX = 500;

function positive(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new InvalidArgumentError('A number above 0 is needed.');
  return value;
}

interface Options {
  readonly target: 'everything' | 'worker';
  readonly rounds: number;
  readonly work: string;
  readonly seconds: number;
}

const command = new Command('kill')
  .description('Kills RazorFS under real work, and checks that nothing is lost that must be kept.')
  .addOption(
    new Option(
      '--target <WHAT>',
      'everything: all RazorFS processes of the mount, which is then mounted and compared; ' +
        'worker: the serving process alone, while the work goes on and may notice no more than a pause',
    )
      .choices(['everything', 'worker'])
      .default('everything'),
  )
  .option('--rounds <N>', 'kills', positive, 100)
  .option('--work <KINDS>', 'with commas between', 'git,tar,sqlite,npm,writers')
  .option('--seconds <S>', 'the longest time before the next kill', positive, 6)
  .addHelpText('after', '\nExit codes: 0 nothing lost, 1 a broken promise, 2 the command line was not understood.')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();

async function main(): Promise<number> {
  const { target, rounds, seconds, work: kindNames } = command.opts<Options>();
  const names = kindNames.split(',');
  const teardowns: (() => Promise<void>)[] = [];
  const mounted = new MountedStore({ teardown: (handler) => void teardowns.push(handler) });
  const sources = path.join(mounted.directory, 'sources');
  mkdirSync(sources);
  const kinds = workKinds(sources);
  const unknown = names.filter((name) => name !== 'writers' && kinds[name] === undefined);
  if (unknown.length > 0) {
    await clear(teardowns);
    command.error(`Unknown work: ${unknown.join(', ')}.`);
  }
  const seed = Number(process.env.RAZORFS_SEED ?? Date.now() % 0x7fff_ffff);
  console.log(`seed ${seed}; store ${mounted.store}`);
  const chosen = await prepare(names, kinds, sources);
  const random = new Random(seed);
  if (target === 'worker') {
    const writers = names.includes('writers') ? WRITERS : 0;
    const isWell = await killTheWorker(mounted, random, rounds, seconds, writers, chosen, kinds);
    await clear(teardowns);
    return isWell ? 0 : 1;
  }
  await mounted.mounted();
  const work = new KillRounds(mounted, random, names.includes('writers') ? WRITERS : 0);
  try {
    for (let round = 0; round < rounds; round++) {
      if (!(await oneRound(work, round, chosen, kinds, random, seconds))) {
        console.log(`The store was left as it is: ${mounted.store}, mounted on ${mounted.mountPoint}`);
        return 1;
      }
    }
  } finally {
    work.stop();
  }
  await clear(teardowns);
  console.log(`${rounds} rounds, nothing lost`);
  return 0;
}

type Kinds = ReturnType<typeof workKinds>;

/** What the chosen kinds need is made; npm is left out where its registry cannot be reached. */
async function prepare(names: readonly string[], kinds: Kinds, sources: string): Promise<string[]> {
  const chosen: string[] = [];
  for (const name of names.filter((name) => name !== 'writers')) {
    if (name === 'npm' && !(await isRegistryReachable())) {
      console.log('npm is left out: its registry cannot be reached');
      continue;
    }
    await kinds[name]!.prepare(sources);
    chosen.push(name);
  }
  return chosen;
}

async function oneRound(
  work: KillRounds,
  round: number,
  chosen: readonly string[],
  kinds: Kinds,
  random: Random,
  seconds: number,
): Promise<boolean> {
  let works: LastingWork[] = [];
  const report = await work.round(random.below(OPERATIONS_BEFORE_KILL_MAX), {
    milliseconds: random.below(seconds * 1000),
    begin: (directory) => {
      works = chosen.map((name) => new LastingWork(name, kinds[name]!, directory));
      return works;
    },
  });
  const finished = chosen.map((name, index) => `${name} ${works[index]!.finished}`).join(', ');
  const { operationsReplayed, milliseconds } = report.mount.recovery;
  console.log(
    `round ${round + 1}: ${report.operations} operations of writers; finished: ${finished || 'none'}; ` +
      `${operationsReplayed} replayed in ${milliseconds.toFixed(0)} ms`,
  );
  for (const failure of report.failures) {
    console.log(`  BROKEN: ${failure}`);
  }
  if (report.failures.length > 0) return false;
  work.forget(round);
  return true;
}

/** Kills the serving process under work that goes on. Returns whether no program noticed. */
async function killTheWorker(
  mounted: MountedStore,
  random: Random,
  kills: number,
  seconds: number,
  writers: number,
  chosen: readonly string[],
  kinds: Kinds,
): Promise<boolean> {
  let works: LastingWork[] = [];
  const report = await killWorkers(mounted, random, {
    kills,
    millisecondsMax: seconds * 1000,
    writers,
    begin: (directory) => {
      works = chosen.map((name) => new LastingWork(name, kinds[name]!, directory));
      return works;
    },
    onKill: (kill) => {
      if (kill % 10 === 0) console.log(`${kill} kills`);
    },
  });
  for (const failure of report.failures) {
    console.log(`  BROKEN: ${failure}`);
  }
  const finished = chosen.map((name, index) => `${name} ${works[index]!.finished}`).join(', ');
  const rounds = `${report.rounds} rounds of changes, the longest took ${report.longestSeconds.toFixed(2)} s`;
  console.log(`${kills} kills of the serving process; ${rounds}; finished: ${finished || 'none'}`);
  console.log(`${report.failures.length} failures`);
  return report.failures.length === 0;
}

async function clear(teardowns: (() => Promise<void>)[]): Promise<void> {
  for (const handler of teardowns.reverse()) {
    await handler();
  }
}

process.exitCode = await main();
