/**
 * What persists when a volume is reset, and the reset itself.
 */

import { StoreError } from '../../errors/store-error.js';
import { blankOf, makeDirectories, type ResetOptions, type ResetReport, reset } from '../../filesystem/reset.js';
import { compareStates } from '../../volume/diff.js';
import { obstacleTo, resolvePath } from '../../volume/paths.js';
import {
  normalPath,
  PERSISTENCE_PROPERTY,
  type PersistenceRule,
  parseRules,
  rulesAsJson,
  rulesOf,
  withRules,
} from '../../volume/persistence.js';
import { PinnedTree } from '../../volume/pinned-tree.js';
import { pruneAutomatic } from '../../volume/prune.js';
import type { VolumeState } from '../../volume/state.js';
import { checkWritable } from '../read-only-store.js';
import { volumeNamed } from './dataset-names.js';
import { checkNothingMountedBelow } from './mounts-within.js';
import { flushed, flushedToReplace, tellingMounts } from './states.js';
import type { CommandContext, StoreCommand } from './store-command.js';
import { Vanishing, type VanishingPath } from './vanishing.js';

export interface PersistenceReport {
  readonly volume: string;
  readonly rules: { readonly data: readonly unknown[]; readonly cache: readonly unknown[] };
}

async function setRules(
  { datasets }: CommandContext,
  volume: ReturnType<typeof volumeNamed>,
  rules: readonly PersistenceRule[],
): Promise<PersistenceReport> {
  const json = rulesAsJson(rules);
  await datasets.setProperties(volume, { [PERSISTENCE_PROPERTY]: rules.length === 0 ? undefined : json });
  return { volume: volume.name, rules: json };
}

/** Adds rules, as the JSON that `parseRules` reads; `isAll`: in the place of all that there are. Makes the directories that they want. */
export const addRules: StoreCommand<
  { readonly volume: string | undefined; readonly rules: unknown; readonly isAll: boolean },
  PersistenceReport
> = async (args, context) => {
  const volume = volumeNamed(args.volume, context);
  const added = parseRules(args.rules);
  for (const { path } of added) checkCanBeThere(context.store.state.volumeOf(volume), path);
  const report = await setRules(context, volume, args.isAll ? added : withRules(rulesOf(volume.properties), added));
  makeDirectories(context.store, volume, added);
  return report;
};

/** Stands for bytes that are no text, in words that a shell gave: a rule would be about another path. */
const REPLACEMENT_CHARACTER = '\ufffd';

/** Refuses a path at which nothing can be: through a symlink, for example. What its user means is somewhere else, and would vanish. */
function checkCanBeThere(state: VolumeState, path: string): void {
  if (path.includes(REPLACEMENT_CHARACTER)) {
    throw new StoreError('bad-property', `"/${path}" is not UTF-8.`, 'Let the directory persist that it is in.');
  }
  const obstacle = obstacleTo(state, path);
  if (obstacle === undefined) return;
  throw new StoreError(
    'bad-property',
    `Nothing can persist at "/${path}": "/${obstacle}" is no directory.`,
    'If it is a symlink, name the path that it leads to.',
  );
}

/** Removes the rules for some paths. */
export const removeRules: StoreCommand<
  { readonly volume: string | undefined; readonly paths: readonly string[] },
  PersistenceReport & { readonly removed: number }
> = async (args, context) => {
  const volume = volumeNamed(args.volume, context);
  const paths = new Set(args.paths.map(normalPath));
  const rules = rulesOf(volume.properties);
  const left = rules.filter(({ path }) => !paths.has(path));
  return { ...(await setRules(context, volume, left)), removed: rules.length - left.length };
};

export const listRules: StoreCommand<{ readonly volume: string | undefined }, PersistenceReport> = async (
  args,
  context,
) => {
  const volume = volumeNamed(args.volume, context);
  return { volume: volume.name, rules: rulesAsJson(rulesOf(volume.properties)) };
};

export interface PersistenceStatus {
  readonly volume: string;
  /** What a reset would take away or put back, the largest first. */
  readonly vanishing: readonly VanishingPath[];
  readonly vanishingBytes: number;
  readonly persisted: readonly { readonly path: string; readonly class: string; readonly exists: boolean }[];
}

/** What a reset would do now. */
export const persistenceStatus: StoreCommand<
  { readonly volume: string | undefined; readonly to: string | undefined },
  PersistenceStatus
> = async (args, context) => {
  const { store, datasets, signal } = context;
  const volume = volumeNamed(args.volume, context);
  const rules = rulesOf(volume.properties);
  const blank = new PinnedTree(store, blankOf(datasets, volume, args.to));
  try {
    await flushed(volume, context);
    const live = new PinnedTree(store, volume);
    try {
      const vanishing = new Vanishing(rules.map(({ path }) => path));
      for await (const change of compareStates(blank, live)) {
        signal.throwIfAborted();
        vanishing.note(change);
      }
      const persisted = rules.map(({ path, class: ruleClass }) => ({
        path: `/${path}`,
        class: ruleClass,
        exists: resolvePath(live.volume.state, path) !== undefined,
      }));
      const { paths, bytes } = await vanishing.summary();
      return { volume: volume.name, vanishing: paths, vanishingBytes: bytes, persisted };
    } finally {
      live.release();
    }
  } finally {
    blank.release();
  }
};

/** Puts a volume back to blank, but for what persists. */
export const resetVolume: StoreCommand<
  ResetOptions & { readonly volume: string | undefined },
  ResetReport & { readonly pruned: readonly string[] }
> = async ({ volume: name, ...options }, context) => {
  const { store, datasets } = context;
  const volume = volumeNamed(name, context);
  checkWritable(store);
  const check = (): void => checkNothingMountedBelow(volume, '', context);
  check();
  await flushedToReplace(volume, context);
  const without = (options.without ?? []).map(normalPath);
  const replacing = reset(store, datasets, volume, { ...options, without }, check);
  const report = await tellingMounts(context, volume, '', replacing);
  return { ...report, pruned: await pruneAutomatic(datasets, volume, store.nowMs()) };
};
