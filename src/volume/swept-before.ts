/**
 * Which volumes must have been swept before an operation: those whose trees it keeps, copies or replaces, so that no snapshot has
 * removed trees, and that of a directory whose inodes come to count for a quota.
 *
 * While a store serves, they have been by then (Datasets, Quotas). Sweeping is not logged, so when the log is replayed this is where it is
 * done again.
 */
import type { DatasetId } from '../store/units.js';
import type { Operation } from './operation.js';

const NONE: readonly DatasetId[] = [];

/** `dataset`: the volume that the operation is about. There need not be one of each number. */
export function sweptBefore(dataset: DatasetId, operation: Operation): readonly DatasetId[] {
  switch (operation.type) {
    case 'createVolume':
      return operation.origin === undefined ? NONE : [operation.origin];
    case 'createSnapshot':
    case 'rollback':
      return [operation.volume];
    case 'adopt':
      return [operation.volume, operation.from];
    case 'setQuota':
    case 'removeQuota':
      return [dataset];
    default:
      return NONE;
  }
}
