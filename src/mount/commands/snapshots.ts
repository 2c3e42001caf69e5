/**
 * Commands on snapshots.
 */
import type { Dataset } from '../../volume/dataset.js';
import { holdsOf } from '../../volume/datasets.js';
import { snapshotNamed } from './dataset-names.js';
import type { StoreCommand } from './store-command.js';

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
}

function reportOf(volume: string, snapshot: Dataset): SnapshotReport {
  const { name, createdMs, inodes, dataBytes } = snapshot;
  return { name: `${volume}@${name}`, volume, snapshot: name, createdMs, inodes, dataBytes, holds: holdsOf(snapshot) };
}

/** Takes a snapshot of what programs have written so far. `name`: `[volume@]snapshot`. */
export const createSnapshot: StoreCommand<{ readonly name: string }, SnapshotReport> = async ({ name }, context) => {
  const { datasets, mounts } = context;
  const { volume, snapshot } = snapshotNamed(name, context);
  await mounts.flush(volume.id);
  return reportOf(volume.name, await datasets.createSnapshot(volume.name, snapshot));
};

/** Lists the snapshots of a volume, or of all volumes, the oldest first. */
export const listSnapshots: StoreCommand<
  { readonly volume: string | undefined },
  { readonly snapshots: readonly SnapshotReport[] }
> = async ({ volume }, { datasets }) => {
  const volumes = volume === undefined ? datasets.volumes : [datasets.volume(volume)];
  return {
    snapshots: volumes.flatMap((of) => datasets.snapshots(of.name).map((snapshot) => reportOf(of.name, snapshot))),
  };
};
