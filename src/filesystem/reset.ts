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

/**
 * Resets a volume. Programs that have its files open get ESTALE. `check` is called at the moment of the reset, and may refuse it. Throws
 * StoreError, DiskError.
 */
export async function reset(
  store: Store,
  datasets: Datasets,
  volume: Dataset,
  options: ResetOptions = {},
  check: () => void = () => undefined,
): Promise<ResetReport> {
  await store.swept();
  const blank = blankOf(datasets, volume, options.to);
  let rules: readonly PersistenceRule[] = [];
  let carried: readonly string[] = [];
  const kept = await datasets.rollBack(volume.name, blank, () => {
    check();
    // Not before: others may have changed the rules, and what is at the paths, while this waited.
    rules = rulesOf(volume.properties).filter((rule) => counts(rule, options));
    const state = store.state.volumeOf(volume);
    carried = carriedPaths(rules).filter((path) => resolvePath(state, path) !== undefined);
    return {
      keepAs: options.forget === true ? undefined : { prefix: 'old-root' },
      keepProperties: { [MADE_BY]: 'reset' },
      carried,
      copiedMax: options.copiedMax,
    };
  });
  const obstructed = makeDirectories(store, volume, rules);
  await store.commit('all');
  return {
    volume: volume.name,
    to: blank.name,
    kept: kept?.name ?? null,
    carried: carried.map((path) => `/${path}`),
    missing: carriedPaths(rules).flatMap((path) => (carried.includes(path) ? [] : [`/${path}`])),
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
