/**
 * Removing a store for good: `razorfs destroy`. What is in its directory and is not a store's own stays.
 */
import { readdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { StoreLock } from '../store/lock.js';
import { describeIdleStore, type IdleStore } from './idle-store.js';
import { eraseStore, requireStore } from './store-directory.js';
import { explainStoreFailure } from './store-failure.js';

export interface DestroyedStore {
  readonly store: string;
  /** Names in its directory that were left; none when the directory is gone too. */
  readonly left: readonly string[];
}

/** What would be lost; undefined where the superblock cannot tell. Throws StoreError where there is no store, or one in use. */
export function storeToDestroy(store: string): IdleStore | undefined {
  requireStore(store);
  StoreLock.acquire(store, 'razorfs destroy', '').release();
  try {
    return describeIdleStore(store);
  } catch {
    return undefined;
  }
}

/** Destroys the store at an absolute path. Throws StoreError, and leaves a store that is in use as it is. */
export function destroyStore(store: string): DestroyedStore {
  requireStore(store);
  const lock = StoreLock.acquire(store, 'razorfs destroy', '');
  try {
    eraseStore(store);
    const left = readdirSync(store).filter((name) => name !== 'lock');
    // Last: whoever waits for the lock finds no store.
    rmSync(path.join(store, 'lock'), { force: true });
    if (left.length === 0) removeDirectory(store);
    return { store, left };
  } catch (error) {
    throw explainStoreFailure(store, error);
  } finally {
    lock.release();
  }
}

function removeDirectory(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // A mount point of the host, or in a directory that is not ours: empty is good enough.
  }
}
