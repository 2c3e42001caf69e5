/**
 * Real work on a mount whose serving process is killed again and again: no program may notice more than a pause.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from '../cli/program.js';
import { CHANGES, killWorker } from '../mount/worker-kills.js';
import type { Random } from '../random.js';
import type { LastingWork } from './lasting-work.js';
import type { MountedStore } from './mounted-store.js';

const SUPERVISING = fileURLToPath(new URL('./supervising.js', import.meta.url));

export interface WorkerKills {
  readonly kills: number;
  /** The longest time between two kills, in milliseconds. */
  readonly millisecondsMax: number;
  /** Programs that change names, beside the work. */
  readonly writers: number;
  begin(directory: string): readonly LastingWork[];
  onKill(kill: number): void;
}

export interface WorkerKillsReport {
  /** What programs had to complain about, and what was wrong afterwards. */
  readonly failures: readonly string[];
  /** Rounds of changes that the writers made, and the longest of them in seconds: the pause that a program sees. */
  readonly rounds: number;
  readonly longestSeconds: number;
}

/** Mounts the store, kills, and unmounts it. */
export async function killWorkers(store: MountedStore, random: Random, order: WorkerKills): Promise<WorkerKillsReport> {
  const supervisor = fork(SUPERVISING, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ended = new Promise<number | null>((resolve) => supervisor.once('exit', resolve));
  const ready = new Promise((resolve) => supervisor.once('message', resolve));
  supervisor.send({ ...store.request, commitIntervalMs: 1000 });
  if ((await Promise.race([ready, ended])) !== 'ready') {
    throw new Error('not mounted');
  }
  const end = path.join(store.directory, 'end');
  mkdirSync(store.path('work'));
  const works = order.begin(store.path('work'));
  const writers = Array.from({ length: order.writers }, (_, number) =>
    run('python3', [CHANGES, store.path(`writer-${number}`), end]),
  );
  for (let kill = 1; kill <= order.kills; kill++) {
    await setTimeout(random.below(order.millisecondsMax));
    await killWorker(store.store);
    order.onKill(kill);
  }
  writeFileSync(end, '');
  for (const work of works) {
    work.stop();
  }
  const failures: string[] = [];
  const figures: number[][] = [];
  for (const { code, stdout, stderr } of await Promise.all(writers)) {
    if (code === 0) figures.push(stdout.split(' ').map(Number));
    else failures.push(`a writer: ${stderr.trim()}`);
  }
  for (const work of works) {
    const error = await work.ended;
    if (error !== undefined) failures.push(error.message);
    failures.push(...(await work.failures()));
  }
  supervisor.kill('SIGTERM');
  const code = await ended;
  if (code !== 0) failures.push(`the supervisor ended with exit code ${code}`);
  const check = await store.check();
  if (check.code !== 0) failures.push(`razorfsck: ${check.stdout}${check.stderr}`);
  return {
    failures,
    rounds: figures.reduce((total, [rounds]) => total + rounds!, 0),
    longestSeconds: Math.max(0, ...figures.map(([, longest]) => longest!)),
  };
}
