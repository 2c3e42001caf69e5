/**
 * Rolling a volume back to one of its snapshots, mounted or not.
 */
import { StoreError } from '../../errors/store-error.js';
import type { Dataset } from '../../volume/dataset.js';
import { resolvePath } from '../../volume/paths.js';
import { MADE_BY } from '../../volume/prune.js';
import { checkWritable } from '../read-only-store.js';
import { requireSnapshot, volumeNamed } from './dataset-names.js';
import { checkNothingMountedBelow } from './mounts-within.js';
import { flushed, flushedToReplace, tellingMounts } from './states.js';
import type { CommandContext, StoreCommand } from './store-command.js';

export interface RollbackArgs {
  /** `[volume@]snapshot` */
  readonly snapshot: string;
  readonly volume: string | undefined;
  /** What is to be rolled back; undefined for the whole volume. */
  readonly path: string | undefined;
  /** Whether the state that is replaced stays as a snapshot. */
  readonly keep: boolean;
  /** The name of that; undefined for one made of the time. */
  readonly keepAs: string | undefined;
}

export interface RollbackReport {
  readonly volume: string;
  /** `volume@snapshot` */
  readonly snapshot: string;
  /** `/` for the whole volume. */
  readonly path: string;
  /** The snapshot that has the replaced state; null when it was given up. */
  readonly kept: string | null;
}

export const rollBack: StoreCommand<RollbackArgs, RollbackReport> = async (args, context) => {
  const { datasets, store } = context;
  checkWritable(store);
  const named = volumeNamed(args.volume, context);
  const snapshot = requireSnapshot(args.snapshot, { datasets, volume: named });
  const volume = args.volume === undefined ? store.state.catalog.require(snapshot.volume) : named;
  if (snapshot.volume !== volume.id) throw notItsOwn(snapshot, volume, context);
  const path = args.path === undefined ? '' : plainPath(args.path);
  checkIsThere(snapshot, path, context);
  checkNothingMountedBelow(volume, path, context);
  await (path === '' ? flushedToReplace : flushed)(volume, context);
  const replacing = datasets.rollBack(volume.name, snapshot, () => {
    checkNothingMountedBelow(volume, path, context);
    return {
      keepAs: args.keep ? (args.keepAs ?? { prefix: 'before-rollback' }) : undefined,
      keepProperties: args.keepAs === undefined ? { [MADE_BY]: 'rollback' } : {},
      path,
    };
  });
  const kept = await tellingMounts(context, volume, path, replacing);
  return { volume: volume.name, snapshot: datasets.nameOf(snapshot), path: `/${path}`, kept: kept?.name ?? null };
};

/** A path without slashes at its ends. */
function plainPath(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (!names.includes('..') && !path.includes('\0')) return names.join('/');
  throw new StoreError('bad-name', `"${path}" is no path from the root of the volume.`, 'Write it without "..".');
}

const notItsOwn = (snapshot: Dataset, volume: Dataset, { datasets }: CommandContext): StoreError =>
  new StoreError(
    'no-such-snapshot',
    `"${datasets.nameOf(snapshot)}" is no snapshot of the volume "${volume.name}".`,
    'A volume goes back to its own snapshots; to have another one beside it: razorfs clone MNT SNAPSHOT NAME',
  );

function checkIsThere(snapshot: Dataset, path: string, { store, datasets }: CommandContext): void {
  if (path === '' || resolvePath(store.state.volumeOf(snapshot), path) !== undefined) return;
  throw new StoreError(
    'no-such-path',
    `The snapshot "${datasets.nameOf(snapshot)}" has nothing at "/${path}".`,
    'What it does not have is not taken away: remove it yourself if it is to go.',
  );
}
