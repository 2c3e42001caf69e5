/**
 * Commands on snapshots.
 */
import type { Dataset } from '../../volume/dataset.js';
import { holdsOf } from '../../volume/datasets.js';
import { MADE_BY } from '../../volume/prune.js';
import { ownSpace } from '../../volume/space.js';
import { checkWritable } from '../read-only-store.js';
import { requireSnapshot, snapshotNamed } from './dataset-names.js';
import { flushed } from './states.js';
import type { CommandContext, StoreCommand } from './store-command.js';

/** A snapshot as it is listed. */
export interface SnapshotReport {
  /** `volume@snapshot` */
  readonly name: string;
  readonly volume: string;
  readonly snapshot: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly inodes: number;
  /** The sizes of its files, in bytes. */
  readonly dataBytes: number;
  readonly holds: readonly string[];
  /** What made it, where that was no person: `interval`, `reset`, `rollback`; otherwise null. */
  readonly madeBy: string | null;
  /** Where it is mounted. */
  readonly mountPoints: readonly string[];
}

/** With what destroying it would give back, in bytes. */
export type ListedSnapshot = SnapshotReport & { readonly ownBytes: number };

interface Named {
  /** `[volume@]snapshot` */
  readonly name: string;
}

function reportOf(snapshot: Dataset, { store, datasets }: CommandContext): SnapshotReport {
  const { name, createdMs, inodes, dataBytes, properties } = snapshot;
  const { catalog } = store.state;
  const madeBy = properties[MADE_BY];
  return {
    name: datasets.nameOf(snapshot),
    volume: catalog.require(snapshot.volume).name,
    snapshot: name,
    createdMs,
    inodes,
    dataBytes,
    holds: holdsOf(snapshot),
    madeBy: typeof madeBy === 'string' ? madeBy : null,
    mountPoints: store.state.mountPointsOf(snapshot.id),
  };
}

/** Takes a snapshot of what programs have written so far. */
export const createSnapshot: StoreCommand<Named, SnapshotReport> = async ({ name }, context) => {
  checkWritable(context.store);
  const { volume, snapshot } = snapshotNamed(name, context);
  await flushed(volume, context);
  return reportOf(await context.datasets.createSnapshot(volume.name, snapshot), context);
};

/** Lists the snapshots of a volume, or of all volumes, the oldest first. */
export const listSnapshots: StoreCommand<
  { readonly volume: string | undefined },
  { readonly snapshots: readonly ListedSnapshot[] }
> = async ({ volume }, context) => {
  const { datasets, store, signal } = context;
  const volumes = volume === undefined ? datasets.volumes : [datasets.volume(volume)];
  const snapshots: ListedSnapshot[] = [];
  for (const snapshot of volumes.flatMap(({ name }) => datasets.snapshots(name))) {
    const ownBytes = await ownSpace(store.state, snapshot, signal);
    // It may have been destroyed meanwhile.
    if (store.state.catalog.get(snapshot.id) === snapshot) snapshots.push({ ...reportOf(snapshot, context), ownBytes });
  }
  return { snapshots };
};

/** Destroys snapshots: all that are named, or none when one of them is refused. */
export const destroySnapshots: StoreCommand<
  { readonly names: readonly string[] },
  { readonly snapshots: readonly string[] }
> = async ({ names }, context) => {
  const { datasets } = context;
  const snapshots = [...new Set(names.map((name) => requireSnapshot(name, context)))];
  const destroyed = snapshots.map((snapshot) => datasets.nameOf(snapshot));
  await datasets.destroy(...snapshots);
  return { snapshots: destroyed };
};

export const renameSnapshot: StoreCommand<Named & { readonly newName: string }, SnapshotReport> = async (
  { name, newName },
  context,
) => {
  const snapshot = requireSnapshot(name, context);
  await context.datasets.rename(snapshot, newName);
  return reportOf(snapshot, context);
};

/** Keeps a snapshot from being destroyed and pruned, until it is released as often as it is held. */
export const holdSnapshot: StoreCommand<Named & { readonly tag: string }, SnapshotReport> = async (
  { name, tag },
  context,
) => {
  const snapshot = requireSnapshot(name, context);
  await context.datasets.hold(snapshot, tag);
  return reportOf(snapshot, context);
};

export const releaseSnapshot: StoreCommand<Named & { readonly tag: string }, SnapshotReport> = async (
  { name, tag },
  context,
) => {
  const snapshot = requireSnapshot(name, context);
  await context.datasets.release(snapshot, tag);
  return reportOf(snapshot, context);
};
