/**
 * What runs in the virtual machine: looks at what the last cut has left, says so, and works until the next one. See order.ts.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { MountRequest } from '../../src/mount/mount-request.js';
import { startDaemon } from '../../src/mount/start-daemon.js';
import { COMMIT_INTERVAL_MS_DEFAULT } from '../../src/volume/options.js';
import { type Ended, ROOT, razorfs, run } from '../../test/cli/program.js';
import { parseJournal } from '../../test/mounted/journal.js';
import {
  inSnapshot,
  judge,
  orderProblem,
  snapshotProblems,
  type WriterPast,
} from '../../test/mounted/power-promises.js';
import { readSeen } from '../../test/mounted/seen-tree.js';
import type { WriterEnd, WriterOrder } from '../../test/mounted/writer.js';
import {
  type GuestOrder,
  type GuestReport,
  journalPort,
  type PastRound,
  REPORT_PORT,
  type Work,
  WRITERS,
} from './order.js';

const DISK = '/disk';
const STORE = '/disk/store';
const MOUNT_POINT = '/mnt';
const DATA_DEVICE = '/dev/vda';
const ORDER_DEVICE = '/dev/vdb';
const WRITER = path.join(ROOT, 'build/test/mounted/writer.js');
const RAZORFSCK = path.join(ROOT, 'build/src/cli/razorfsck.js');
/** What the command asks of the daemon; the start of its process would be a second of each boot. */
const REQUEST: MountRequest = {
  mountPoint: MOUNT_POINT,
  store: STORE,
  label: '',
  dataset: 'main',
  durability: undefined,
  commitIntervalMs: undefined,
  readOnly: false,
  options: '',
  transport: 'kernel',
};
/** A commit begins when the interval is over, and takes its time: more where the machine is emulated on a busy host. */
const COMMIT_MS_MAX = 2000;

const port = (number: number): string => `/dev/vport0p${number}`;
const reports = openSync(port(REPORT_PORT), 'w');

function report(what: GuestReport): void {
  writeSync(reports, `${JSON.stringify(what)}\n`);
}

function must({ code, stdout, stderr }: Ended, what: string): string {
  if (code !== 0) throw new Error(`${what} (exit code ${code}): ${stdout}${stderr}`);
  return stdout;
}

async function main(): Promise<void> {
  const order: GuestOrder = JSON.parse(readFileSync(ORDER_DEVICE, 'utf8'));
  must(await run('mount', ['-t', order.fileSystem, DATA_DEVICE, DISK]), 'mounting the disk');
  report({ state: 'mounting', kernel: os.release() });
  if (existsSync(STORE)) {
    must(await run(process.execPath, [RAZORFSCK, STORE]), 'razorfsck');
  }
  const { recovery } = await startDaemon(REQUEST);
  report({ state: 'mounted', recovery });
  await look(order);
  const { work } = order;
  if (work !== undefined) {
    await workOn(work);
    return;
  }
  must(await razorfs(['umount', MOUNT_POINT]), 'umount');
  must(await run(process.execPath, [RAZORFSCK, STORE]), 'razorfsck after unmounting');
  report({ state: 'unmounted' });
}

const roundDirectory = (round: number): string => path.join(MOUNT_POINT, `round-${round}`);
const writerDirectory = (round: number, writer: number): string => path.join(roundDirectory(round), `writer-${writer}`);

/** Judges what is there, and removes what is not needed any more. */
async function look({ past, kept, isScrubbed }: GuestOrder): Promise<void> {
  const problems: string[] = [];
  for (const { round, digest } of kept) {
    if (digestOf(roundDirectory(round)) !== digest) problems.push(`round ${round} has changed since it was looked at`);
  }
  const judged = past === undefined ? NOTHING : judgePast(past);
  problems.push(...judged.problems);
  if (isScrubbed) {
    const scrub = await razorfs(['scrub', MOUNT_POINT]);
    if (scrub.code !== 0) problems.push(`scrub: ${scrub.stdout}${scrub.stderr}`);
  }
  if (problems.length === 0) {
    await forget(new Set([...kept, ...(past === undefined ? [] : [past])].map(({ round }) => round)));
  }
  must(await run('sync', ['--file-system', MOUNT_POINT]), 'sync');
  const digest = past === undefined ? '' : digestOf(roundDirectory(past.round));
  report({ state: 'judged', ...judged, problems, digest });
}

interface Judgement {
  readonly problems: readonly string[];
  readonly returned: number;
  readonly there: number;
  readonly snapshots: number;
}
const NOTHING: Judgement = { problems: [], returned: 0, there: 0, snapshots: 0 };

function judgePast({ round, journals }: PastRound): Judgement {
  const pasts = journals.map(parseJournal);
  const cutMs = Math.max(0, ...pasts.flat().map(({ begunMs, endedMs }) => endedMs ?? begunMs));
  const safeUntil = cutMs - COMMIT_INTERVAL_MS_DEFAULT.interval - COMMIT_MS_MAX;
  const problems: string[] = [];
  const writers: WriterPast[] = [];
  for (const [writer, entries] of pasts.entries()) {
    const verdict = judge(writerDirectory(round, writer), entries, safeUntil);
    const names = [`round-${round}`, `writer-${writer}`];
    const ofSnapshots = snapshotProblems(entries, (name) => inSnapshot(MOUNT_POINT, name, ...names));
    problems.push(...[...verdict.problems, ...ofSnapshots].map((what) => `writer ${writer}: ${what}`));
    writers.push({ entries, prefixes: verdict.prefixes });
  }
  const order = problems.length === 0 ? orderProblem(writers) : undefined;
  if (order !== undefined) problems.push(order);
  const returned = pasts.flat().filter(({ endedMs }) => endedMs !== undefined);
  return {
    problems,
    returned: returned.length,
    snapshots: returned.filter(({ operation }) => operation.op === 'snapshot').length,
    there: writers.reduce((sum, { prefixes }) => sum + (prefixes.at(-1) ?? 0), 0),
  };
}

/** Removes rounds and snapshots but for those of some rounds. */
async function forget(rounds: ReadonlySet<number>): Promise<void> {
  const isForgotten = (name: string): boolean => !rounds.has(Number(/^round-(\d+)/.exec(name)![1]));
  for (const name of readdirSync(MOUNT_POINT).filter(isForgotten)) {
    rmSync(path.join(MOUNT_POINT, name), { recursive: true });
  }
  const snapshots = readdirSync(path.join(MOUNT_POINT, '.razorfs/snapshots')).filter(isForgotten);
  if (snapshots.length > 0) {
    must(await razorfs(['snapshot', 'destroy', MOUNT_POINT, ...snapshots]), 'destroying snapshots');
  }
}

/** All that is to be seen of a tree. */
function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const [name, { content, ...rest }] of [...readSeen(directory)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${JSON.stringify([name, rest])}\n`).update(content);
  }
  return hash.digest('hex');
}

/** Works until the machine stops. */
async function workOn({ round, seed, syncPercent, dirtyCentiseconds }: Work): Promise<void> {
  for (const name of ['dirty_expire_centisecs', 'dirty_writeback_centisecs']) {
    writeFileSync(`/proc/sys/vm/${name}`, `${dirtyCentiseconds}`);
  }
  mkdirSync(roundDirectory(round));
  const ends: Promise<WriterEnd>[] = [];
  for (let writer = 0; writer < WRITERS; writer++) {
    const directory = writerDirectory(round, writer);
    mkdirSync(directory);
    ends.push(
      orderWriter(fork(WRITER), {
        directory,
        journal: port(journalPort(writer)),
        seed: seed + writer * 0x1000_0000,
        withXattrs: false,
        syncPercent,
        snapshots: { mountPoint: MOUNT_POINT, prefix: `round-${round}-writer-${writer}` },
      }),
    );
  }
  report({ state: 'working' });
  const { error } = await Promise.race(ends);
  report({ state: 'failed', error: `a writer: ${error}` });
}

function orderWriter(writer: ChildProcess, order: WriterOrder): Promise<WriterEnd> {
  return new Promise((resolve) => {
    writer.once('message', (end: WriterEnd) => resolve(end));
    writer.once('exit', (code, signal) => resolve({ error: `ended with ${code ?? signal}`, operations: 0 }));
    writer.send(order);
  });
}

try {
  await main();
} catch (error) {
  report({ state: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
spawnSync('sync');
process.exit();
