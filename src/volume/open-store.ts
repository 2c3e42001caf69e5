/**
 * Opening a store whose last change met damage while it was made.
 *
 * Such a change is logged, and perhaps answered; then the store turned read-only, so that nothing is logged after it, and it was never
 * made durable for anybody who asked. To replay it meets the same damage. The next mount gives it up, says so, and has all else, instead
 * of a store that only razorfsck opens, without its log. A process that goes on with the same mount does not: its users have been told of
 * the change.
 */
import type { Disk } from '../store/disk.js';
import type { StoreOptions } from './options.js';
import { UnappliedChange } from './recovery.js';
import { Store } from './store.js';

/** Opens a store, recovering it if need be. Throws StoreError, CorruptionError and DiskError. */
export async function openStore(disk: Disk, options: StoreOptions): Promise<Store> {
  try {
    return await Store.open(disk, options);
  } catch (error) {
    if (!(error instanceof UnappliedChange) || options.resume === true) throw error;
    options.log.error({ err: error }, 'the last change in the log cannot be made, and is given up');
    return Store.open(disk, { ...options, logEnd: { lsn: error.lsn, reason: error.message } });
  }
}
