/**
 * What is done to a volume before a mount shows it: a reset to blank, or a throw-away clone in its place.
 *
 * A clone of an ephemeral mount is a volume with a property that says so. It goes when the mount ends; one that a crash of all
 * processes left goes when the store is served again.
 */
import { reset } from '../filesystem/reset.js';
import type { Dataset } from '../volume/dataset.js';
import { Datasets, holdsOf } from '../volume/datasets.js';
import { pruneAutomatic } from '../volume/prune.js';
import type { Store } from '../volume/store.js';
import type { MountRequest } from './mount-request.js';
import type { OpenedStore } from './opened-store.js';

const EPHEMERAL_PROPERTY = 'ephemeral';

const isEphemeral = ({ type, properties }: Dataset): boolean =>
  type === 'volume' && properties[EPHEMERAL_PROPERTY] === true;

/** Resets and clones as asked. Returns the name of what is to be mounted. Throws StoreError. */
export async function prepareVolume(request: MountRequest, { store, log }: OpenedStore): Promise<string> {
  const datasets = new Datasets(store);
  const dataset = datasets.named(request.dataset);
  if (request.resetOnMount && dataset.type === 'volume') {
    const report = await reset(store, datasets, dataset);
    const pruned = await pruneAutomatic(datasets, dataset, store.nowMs());
    log.info({ ...report, pruned }, 'reset');
  }
  if (!request.ephemeral) return request.dataset;
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const properties = { ...dataset.properties, [EPHEMERAL_PROPERTY]: true };
  const { name } = await datasets.createVolume({ prefix: 'ephemeral' }, dataset, owner, properties);
  return name;
}

/** Destroys the clones of ephemeral mounts, with their snapshots, unless they are mounted. */
export async function discardEphemeral(store: Store, isMounted: (volume: Dataset) => boolean): Promise<void> {
  if (!store.isWritable) return;
  const datasets = new Datasets(store);
  for (const volume of datasets.volumes.filter((candidate) => isEphemeral(candidate) && !isMounted(candidate))) {
    for (const snapshot of datasets.snapshots(volume.name)) {
      for (const tag of holdsOf(snapshot)) await datasets.release(snapshot, tag);
    }
    await datasets.destroy(...datasets.snapshots(volume.name), volume);
  }
}
