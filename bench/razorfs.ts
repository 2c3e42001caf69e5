/**
 * RazorFS as the benches use it: by its commands, as a user would, so that what they measure is what users get.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { MountReport } from '../src/mount/mount-request.js';
import type { MountState } from '../src/mount/survey.js';
import type { VolumeStatus } from '../src/volume/options.js';
import { ROOT } from './root.js';

const run = promisify(execFile);

const COMMAND = path.join(ROOT, 'build/src/cli/razorfs.js');
const CHECKER = path.join(ROOT, 'build/src/cli/razorfsck.js');

async function razorfs(words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [COMMAND, ...words]).catch(
    (error: { stdout?: string; stderr?: string; message: string }) => {
      throw new Error(`razorfs ${words.join(' ')}: ${`${error.stdout}${error.stderr}`.trim() || error.message}`);
    },
  );
  return stdout;
}

export interface Mounted extends MountReport {
  /** From the start of the command to its end, in milliseconds: what a user waits. */
  readonly milliseconds: number;
}

export async function mount(mountPoint: string, store: string, words: readonly string[] = []): Promise<Mounted> {
  const startedMs = performance.now();
  const output = await razorfs([mountPoint, '--store', store, '--json', ...words]);
  return { ...(JSON.parse(output) as MountReport), milliseconds: performance.now() - startedMs };
}

/** Unmounts; returns the milliseconds until the store was clean. Also takes away a mount whose daemon is dead. */
export async function umount(mountPoint: string): Promise<number> {
  const startedMs = performance.now();
  await razorfs(['umount', mountPoint]);
  return performance.now() - startedMs;
}

export async function status(mountPoint: string): Promise<VolumeStatus> {
  const { mounts } = JSON.parse(await razorfs(['status', '--json', mountPoint])) as { mounts: MountState[] };
  const [state] = mounts;
  if (state?.state !== 'mounted') throw new Error(`${mountPoint} is ${state?.state ?? 'not mounted'}`);
  return state.status.volume;
}

/** Runs razorfsck on a store that is not mounted. Throws with its findings unless it says OK. */
export async function check(store: string): Promise<void> {
  if (!existsSync(CHECKER)) return;
  await run(process.execPath, [CHECKER, store]).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`razorfsck found damage in ${store}: ${error.stdout}${error.stderr}`);
  });
}

/** Memory of a process, in bytes: its own, and what is shared with files (the store's maps: page cache, not consumption). */
export interface ProcessMemory {
  readonly anonymous: number;
  readonly file: number;
}

/** proc_pid_status(5): RssAnon and RssFile, in kB. */
export function memoryOf(pid: number): ProcessMemory {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { anonymous: bytes('RssAnon'), file: bytes('RssFile') };
}
