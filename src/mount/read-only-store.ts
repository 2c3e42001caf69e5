/**
 * A store that cannot be changed, in words for the person whose command would have changed it.
 */
import { StoreError } from '../errors/store-error.js';
import type { Store } from '../volume/store.js';

/** Refuses to go on where nothing can be changed. Throws StoreError. */
export function checkWritable(store: Store): void {
  if (!store.isWritable) throw readOnlyStore(store);
}

/** Says what is read-only, and what to do. */
export function readOnlyStore({ state, readOnlyReason, isOpenedReadOnly }: Store): StoreError {
  const [first] = state.mounted;
  if (!isOpenedReadOnly) {
    return new StoreError(
      'read-only',
      `The store has turned read-only because of an error: ${readOnlyReason}.`,
      `Its razorfs.log says more. Unmount it, check it with razorfsck, and mount it again: that recovers it.`,
    );
  }
  return first === undefined
    ? new StoreError('read-only', 'The store is to be mounted read-only.', 'Leave --read-only (or -o ro) out.')
    : new StoreError(
        'read-only',
        `The store is read-only, since ${first.mountPoint} was mounted with --read-only (or -o ro).`,
        `Unmount that and mount it without: razorfs umount ${first.mountPoint}`,
      );
}
