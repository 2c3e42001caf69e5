/**
 * Commands on volumes.
 */
import type { Dataset } from '../../volume/dataset.js';
import { requireSnapshot } from './dataset-names.js';
import type { CommandContext, StoreCommand } from './store-command.js';

/** A volume as it is listed. */
export interface VolumeReport {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly inodes: number;
  /** The sizes of its files, in bytes. */
  readonly dataBytes: number;
  readonly snapshots: number;
  /** The snapshot that it was made from or rolled back to last; null for none, or one that is gone. */
  readonly origin: string | null;
  /** Null where it is not mounted. */
  readonly mountPoint: string | null;
}

function reportOf(volume: Dataset, { datasets, store }: CommandContext): VolumeReport {
  const { name, createdMs, inodes, dataBytes, origin } = volume;
  const from = origin === undefined ? undefined : store.state.catalog.get(origin);
  return {
    name,
    createdMs,
    inodes,
    dataBytes,
    snapshots: datasets.snapshots(name).length,
    origin: from === undefined ? null : datasets.nameOf(from),
    mountPoint: store.state.mountPointsOf(volume.id)[0] ?? null,
  };
}

/** Makes a volume: empty, or a clone of `from`, a snapshot. */
export const createVolume: StoreCommand<
  { readonly name: string; readonly from: string | undefined },
  VolumeReport
> = async ({ name, from }, context) => {
  const origin = from === undefined ? undefined : requireSnapshot(from, context);
  return reportOf(await context.datasets.createVolume(name, origin, context.caller), context);
};

export const listVolumes: StoreCommand<object, { readonly volumes: readonly VolumeReport[] }> = async (_, context) => ({
  volumes: context.datasets.volumes.map((volume) => reportOf(volume, context)),
});

/** Destroys a volume, and with `snapshots` those that it has. */
export const destroyVolume: StoreCommand<
  { readonly name: string; readonly snapshots: boolean },
  { readonly name: string; readonly snapshots: readonly string[] }
> = async ({ name, snapshots }, { datasets }) => {
  const volume = datasets.volume(name);
  const theirs = snapshots ? datasets.snapshots(name) : [];
  const names = theirs.map((snapshot) => datasets.nameOf(snapshot));
  await datasets.destroy(...theirs, volume);
  return { name, snapshots: names };
};

export const renameVolume: StoreCommand<
  { readonly name: string; readonly newName: string },
  { readonly name: string }
> = async ({ name, newName }, { datasets }) => {
  await datasets.rename(datasets.volume(name), newName);
  return { name: newName };
};
