/**
 * Making an empty store on purpose: `razorfs mkfs`. A store that is there is replaced only when that was asked for.
 */
import { StoreError } from '../errors/store-error.js';
import { HostDisk } from '../store/host-disk.js';
import { StoreLock } from '../store/lock.js';
import { chooseSuperblock } from '../store/superblock.js';
import { createVolume } from './create-volume.js';
import { directoryState, eraseStore, makeStoreDirectory, notAStore } from './store-directory.js';
import { explainStoreFailure } from './store-failure.js';

export interface MadeStore {
  readonly store: string;
  readonly uuid: string;
  readonly label: string;
}

/** Makes an empty store at `store`, an absolute path. `force` removes a store that is there first. */
export async function makeStore(store: string, label: string, force: boolean): Promise<MadeStore> {
  if (directoryState(store) === 'missing') {
    makeStoreDirectory(store);
  }
  refuseUnlessFree(store, force);
  const lock = StoreLock.acquire(store, 'razorfs mkfs', '');
  try {
    refuseUnlessFree(store, force);
    eraseStore(lock.directory);
    const disk = new HostDisk(lock.directory);
    await createVolume(disk, label);
    const superblock = chooseSuperblock(disk);
    return { store, uuid: superblock.uuid, label: superblock.label };
  } catch (error) {
    throw explainStoreFailure(store, error);
  } finally {
    lock.release();
  }
}

/** Looked at before the lock, which would leave its file, and once more under it. */
function refuseUnlessFree(store: string, force: boolean): void {
  switch (directoryState(store)) {
    case 'empty':
    case 'missing':
      return;
    case 'store':
      if (!force) {
        throw new StoreError(
          'not-empty',
          `${store} holds a store already.`,
          `Mount it as it is, or remove everything in it: razorfs mkfs --force ${store}`,
        );
      }
      return;
    case 'other': {
      const refusal = notAStore(store);
      if (!force || refusal.code !== 'damaged') {
        throw refusal;
      }
    }
  }
}
