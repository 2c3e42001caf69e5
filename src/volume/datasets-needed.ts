/**
 * Which volumes and snapshots must be there for an operation. Whoever asks for one may have waited since it looked, and another command
 * may have destroyed them: an operation in the log that cannot be applied would keep the store from being opened again.
 */
import { StoreError } from '../errors/store-error.js';
import type { DatasetId } from '../store/units.js';
import type { Catalog } from './catalog.js';
import type { Operation } from './operation.js';

const NONE: readonly DatasetId[] = [];

/** `dataset`: the volume that the operation is about. */
function datasetsNeeded(dataset: DatasetId, operation: Operation): readonly DatasetId[] {
  switch (operation.type) {
    case 'synced':
      return NONE;
    case 'createVolume':
      return operation.origin === undefined ? NONE : [operation.origin];
    case 'createSnapshot':
      return [operation.volume];
    case 'destroy':
    case 'renameDataset':
    case 'setProperties':
      return [operation.id];
    case 'rollback':
      return [operation.volume, operation.snapshot];
    case 'adopt':
      return [operation.volume, operation.from];
    default:
      return [dataset];
  }
}

/** Throws StoreError when something that an operation is about has been destroyed. */
export function checkDatasets(catalog: Catalog, dataset: DatasetId, operation: Operation): void {
  for (const needed of datasetsNeeded(dataset, operation)) {
    if (catalog.get(needed) !== undefined) continue;
    throw new StoreError('no-such-volume', 'The volume or snapshot that this is about was destroyed meanwhile.');
  }
}
