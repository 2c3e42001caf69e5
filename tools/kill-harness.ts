/**
 * `npm run kill -- --rounds N --work git,tar,sqlite,npm,writers`: kills all RazorFS processes of a mount under real work, mounts
 * again, and checks that nothing is lost that must be kept. For runs longer than the tests' (test/mounted/kill.test.ts), with the
 * same pieces. Ends with exit code 1, and leaves the store for inspection, at the first broken promise.
 *
 * RAZORFS_SEED replays the choices of an earlier run; what the kill meets still depends on the machine.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { KillRounds } from '../test/mounted/kill-rounds.js';
import { LastingWork, workKinds } from '../test/mounted/lasting-work.js';
import { MountedStore } from '../test/mounted/mounted-store.js';
import { isRegistryReachable } from '../test/mounted/real-work.js';
import { Random } from '../test/random.js';

const HELP = `Usage: npm run kill -- [--rounds N] [--work KINDS] [--seconds S]

  --rounds N      kills (default 100)
  --work KINDS    of git, tar, sqlite, npm and writers, with commas between (default: all)
  --seconds S     the longest that a round works before the kill (default 6)`;

const WRITERS = 3;
const OPERATIONS_BEFORE_KILL_MAX = 500;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    work: { type: 'string', default: 'git,tar,sqlite,npm,writers' },
    seconds: { type: 'string', default: '6' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const [rounds, seconds, names] = [Number(values.rounds), Number(values.seconds), values.work.split(',')];
  const teardowns: (() => Promise<void>)[] = [];
  const mounted = new MountedStore({ teardown: (handler) => void teardowns.push(handler) });
  const sources = path.join(mounted.directory, 'sources');
  mkdirSync(sources);
  const kinds = workKinds(sources);
  const unknown = names.filter((name) => name !== 'writers' && kinds[name] === undefined);
  if (values.help || unknown.length > 0 || !(rounds >= 1) || !(seconds > 0)) {
    console.log(unknown.length > 0 ? `Unknown work: ${unknown.join(', ')}\n\n${HELP}` : HELP);
    await clear(teardowns);
    return values.help ? 0 : 2;
  }
  const seed = Number(process.env.RAZORFS_SEED ?? Date.now() % 0x7fff_ffff);
  console.log(`seed ${seed}; store ${mounted.store}`);
  const chosen = await prepare(names, kinds, sources);
  await mounted.mounted();
  const random = new Random(seed);
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

async function clear(teardowns: (() => Promise<void>)[]): Promise<void> {
  for (const handler of teardowns.reverse()) {
    await handler();
  }
}

process.exitCode = await main();
