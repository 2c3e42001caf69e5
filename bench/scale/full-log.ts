/**
 * A log that is nearly full, and what follows from one: the checkpoint that empties it, which those who use the mount must not
 * feel, and after a kill of all processes the recovery that reads it. It leaves files behind, so it is done to a copy of a store.
 */
import { mkdtempSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beginWork, type WorkOptions, work } from '../client.js';
import { until } from '../host.js';
import { status } from '../razorfs.js';

export interface FilledMount {
  readonly mountPoint: string;
  readonly store: string;
  /** Files that are renamed and get their names back: the first `renames` of `files`. */
  readonly files: string;
  readonly fileOptions: WorkOptions;
  readonly renames: number;
  /** Milliseconds of renames, whose records are short, before records with data fill the rest. */
  readonly renameMs: number;
}

/** Files with data that travels in the log. */
const FILLER_BYTES = 32 * 1024;
/** What such a file takes in the log, at least. */
const FILLER_LOG_BYTES = FILLER_BYTES + 256;
const FILLERS_MAX = 1000;
/** Checkpoints are also taken by the clock. A fill in which one comes is begun again. */
const ATTEMPTS_MAX = 4;

/** How long replies are looked at without a checkpoint, and after one, when what it let go of is deleted. */
const BASELINE_MS = 500;
const AFTER_MS = 500;

/** Writes about so many bytes to the log, with no checkpoint meanwhile; returns how many. It counts on an empty one. */
export async function fillLog(mount: FilledMount, bytes: number): Promise<number> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const filled = await filledOnce(mount, bytes);
    if (filled !== undefined) return filled;
  }
  throw new Error(`a checkpoint came in each of ${ATTEMPTS_MAX} attempts to write ${bytes} bytes of log`);
}

async function filledOnce(mount: FilledMount, bytes: number): Promise<number | undefined> {
  const { epoch, lsn } = (await status(mount.mountPoint)).volume;
  let logged = 0;
  const isUndisturbed = async (): Promise<boolean> => {
    const { volume } = await status(mount.mountPoint);
    logged = volume.lsn - lsn;
    return volume.epoch === epoch;
  };
  const endMs = performance.now() + mount.renameMs;
  while (performance.now() < endMs && logged < bytes) {
    await work('rename', mount.files, mount.renames, mount.fileOptions);
    await work('rename-back', mount.files, mount.renames, mount.fileOptions);
    if (!(await isUndisturbed())) return undefined;
  }
  const fillers = mkdtempSync(path.join(mount.mountPoint, 'fillers-'));
  for (let start = 0; logged + FILLER_LOG_BYTES < bytes; ) {
    const count = Math.min(FILLERS_MAX, Math.floor((bytes - logged) / FILLER_LOG_BYTES));
    await work('create', fillers, count, { start, fileBytes: FILLER_BYTES });
    start += count;
    if (!(await isUndisturbed())) return undefined;
  }
  return logged;
}

/** The longest reply to a client that asks without pause, in nanoseconds. */
export interface LongestReplies {
  readonly without: number;
  readonly during: number;
}

/** Fills the log with so many bytes, then looks at replies while the probing itself makes it full, until its checkpoint is over. */
export async function measureCheckpoint(mount: FilledMount, bytes: number): Promise<LongestReplies> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    await fillLog(mount, bytes);
    const replies = await probedOnce(mount);
    if (replies !== undefined) return replies;
  }
  throw new Error(`a checkpoint came before its time in each of ${ATTEMPTS_MAX} attempts`);
}

async function probedOnce({ mountPoint, store }: FilledMount): Promise<LongestReplies | undefined> {
  const superblock = path.join(store, 'superblock');
  // A superblock is written when a checkpoint is all but done.
  const written = (): bigint => statSync(superblock, { bigint: true }).mtimeNs;
  const before = written();
  const probe = () => beginWork('probe', mountPoint, Number.MAX_SAFE_INTEGER);
  const baseline = probe();
  await Promise.race([baseline.result, delay(BASELINE_MS)]);
  const without = await baseline.stop();
  if (written() !== before) return undefined;
  const probing = probe();
  try {
    await Promise.race([probing.result, until('a checkpoint', () => written() !== before)]);
    await delay(AFTER_MS);
  } finally {
    await probing.stop();
  }
  return { without: without.longestNanoseconds, during: (await probing.result).longestNanoseconds };
}
