/**
 * The identity of a snapshot: by it, a receiver knows whether it has the snapshot that a stream builds on.
 *
 * That of a snapshot that was taken here follows from the store, its number and the time; it stays the same when the snapshot is
 * renamed or the store copied. A snapshot that was received keeps the one that it came with, as a property.
 */
import { createHash } from 'node:crypto';
import type { Dataset } from '../volume/dataset.js';
import { GUID } from '../volume/datasets.js';
import type { Store } from '../volume/store.js';

export const guidOf = (store: Store, snapshot: Dataset): string => guidIn(store.status().uuid, snapshot);

function guidIn(uuid: string, { id, createdMs, properties }: Dataset): string {
  const kept = properties[GUID];
  if (typeof kept === 'string') return kept;
  return createHash('sha256').update(`${uuid}/${id}/${createdMs}`).digest('hex').slice(0, 32);
}

/** The snapshots of all volumes with this identity. */
export function snapshotsWith(store: Store, guid: string): Dataset[] {
  const { uuid } = store.status();
  return store.state.catalog.all.filter((dataset) => dataset.type === 'snapshot' && guidIn(uuid, dataset) === guid);
}
