/**
 * Reset to blank: puts a volume back to its snapshot `blank`, but for what persists.
 *
 * One operation of the volume does it, so that a crash leaves the old root or the new one. The old root stays as a snapshot, for as
 * long as the retention of the volume says.
 */
import { StoreError } from '../errors/store-error.js';
import { asIno, ROOT_INO } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import type { Datasets } from '../volume/datasets.js';
import { Inode } from '../volume/inode.js';
import { isDirectory } from '../volume/mode.js';
import { entryOf, isWithin, obstacleTo, resolvePath, splitPath } from '../volume/paths.js';
import { carriedPaths, type PersistenceRule, rulesOf } from '../volume/persistence.js';
import { BLANK_NAME, MADE_BY } from '../volume/prune.js';
import type { Store } from '../volume/store.js';
import { Attributes } from './attributes.js';
import { FileSystem } from './filesystem.js';
import type { Caller } from './operations.js';

const ROOT_CALLER: Caller = { uid: 0, gid: 0, pid: 0, umask: 0, request: 0 };

export interface ResetOptions {
  /** The snapshot to go back to; `blank` unless told otherwise. */
  readonly to?: string;
  /** Caches go too. */
  readonly dropCaches?: boolean;
  /** Rules that do not count this time, by their paths. */
  readonly without?: readonly string[];
  /** The old root is not kept. */
  readonly forget?: boolean;
  /** See RollbackOptions. */
  readonly copiedMax?: number | undefined;
}

export interface ResetReport {
  readonly volume: string;
  readonly to: string;
  /** The snapshot that has the old root; null when it was not kept. */
  readonly kept: string | null;
  readonly carried: readonly string[];
  /** Persisted paths at which there was nothing. */
  readonly missing: readonly string[];
  /** Directories that must exist, and could not be made: something else is on the way to them. */
  readonly obstructed: readonly string[];
}

/** The time as part of a name: `2026-11-20T14.03.09Z`, and milliseconds where that is taken. */
export function timeInName(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '.')}Z`;
}

/** A name for a new snapshot of a volume that is not taken: `PREFIX-TIME`, or with a number behind it. */
export function freeName(datasets: Datasets, volume: Dataset, prefix: string, nowMs: number): string {
  const names = new Set(datasets.snapshots(volume.name).map(({ name }) => name));
  const name = `${prefix}-${timeInName(nowMs)}`;
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}.${number}`;
    if (!names.has(candidate)) return candidate;
  }
}

/** The snapshot that a volume is reset to. Throws StoreError, with the command that makes one. */
export function blankOf(datasets: Datasets, volume: Dataset, name = BLANK_NAME): Dataset {
  const blank = datasets.snapshots(volume.name).find((snapshot) => snapshot.name === name);
  if (blank !== undefined) return blank;
  throw new StoreError(
    'no-such-snapshot',
    `The volume "${volume.name}" has no snapshot "${name}" to be reset to.`,
    'Take it while the volume is as it is to be after each reset: razorfs snapshot create MNT blank',
  );
}

/** Resets a volume. Programs that have its files open get ESTALE. Throws StoreError, DiskError. */
export async function reset(
  store: Store,
  datasets: Datasets,
  volume: Dataset,
  options: ResetOptions = {},
): Promise<ResetReport> {
  // Before anything is looked up: what is found is used at once.
  await store.swept();
  const blank = blankOf(datasets, volume, options.to);
  const rules = rulesOf(volume.properties).filter((rule) => counts(rule, options));
  const state = store.state.volumeOf(volume);
  const carried = carriedPaths(rules);
  const missing = carried.filter((path) => resolvePath(state, path) === undefined);
  const kept = options.forget === true ? undefined : freeName(datasets, volume, 'old-root', store.nowMs());
  await datasets.rollBack(volume.name, blank, {
    keepAs: kept,
    keepProperties: { [MADE_BY]: 'reset' },
    carried: carried.filter((path) => !missing.includes(path)),
    copiedMax: options.copiedMax,
  });
  const obstructed = makeDirectories(store, volume, rules);
  await store.commit('all');
  return {
    volume: volume.name,
    to: blank.name,
    kept: kept ?? null,
    carried: carried.filter((path) => !missing.includes(path)).map((path) => `/${path}`),
    missing: missing.map((path) => `/${path}`),
    obstructed: obstructed.map((path) => `/${path}`),
  };
}

function counts(rule: PersistenceRule, { dropCaches, without = [] }: ResetOptions): boolean {
  if (rule.class === 'cache' && dropCaches === true) return false;
  return !without.some((path) => isWithin(rule.path, path));
}

/** Makes the directories that rules say must exist, and those on the way to them. Returns those that cannot be. */
export function makeDirectories(store: Store, volume: Dataset, rules: readonly PersistenceRule[]): readonly string[] {
  const opened = store.volume(volume.name);
  if (opened === undefined) return [];
  const filesystem = new FileSystem(opened, { atime: 'noatime' });
  const out = new Attributes();
  const obstructed: string[] = [];
  for (const { path, directory } of rules) {
    if (directory === undefined) continue;
    if (obstacleTo(opened.state, path) !== undefined) {
      obstructed.push(path);
      continue;
    }
    let parent = ROOT_INO;
    for (const name of splitPath(path)) {
      const entry = entryOf(opened.state, parent, name);
      if (entry === undefined) filesystem.makeDirectory(parent, name, 0o755, ROOT_CALLER, out);
      parent = entry?.ino ?? asIno(out.ino);
    }
    const inode = new Inode();
    const { uid, gid, mode } = directory;
    if (!inode.load(opened.state.tree, parent) || !isDirectory(inode.mode)) continue;
    if (inode.uid === uid && inode.gid === gid && (inode.mode & 0o7777) === mode) continue;
    filesystem.setAttributes(parent, { uid, gid, mode }, ROOT_CALLER, out);
  }
  return obstructed;
}
