/**
 * What can be told of a store that no daemon serves, from its superblock and its lock.
 */
import { HostDisk } from '../store/host-disk.js';
import { type LockHolder, lockState } from '../store/lock.js';
import { chooseSuperblock } from '../store/superblock.js';
import { type VolatileKind, volatileKind } from '../store/volatile.js';

export interface IdleStore {
  readonly uuid: string;
  readonly label: string;
  /** It was unmounted properly: mounting has nothing to recover. */
  readonly clean: boolean;
  /** As of the last checkpoint. */
  readonly inodes: number;
  /** The sizes of all regular files, in bytes, as of the last checkpoint. */
  readonly dataBytes: number;
  readonly mountCount: number;
  readonly volatile: VolatileKind | null;
  /** Who has the store: razorfsck, say. Null for nobody. */
  readonly holder: LockHolder | null;
}

/** Throws StoreError for a store that cannot be used. */
export function describeIdleStore(store: string): IdleStore {
  const superblock = chooseSuperblock(new HostDisk(store, { readOnly: true }));
  const lock = lockState(store);
  const { uuid, label, clean, inodes, dataBytes, mountCount } = superblock;
  return {
    uuid,
    label,
    clean,
    inodes,
    dataBytes,
    mountCount,
    volatile: volatileKind(store) ?? null,
    holder: lock.held ? (lock.holder ?? null) : null,
  };
}
