/**
 * What must hold before a mount changes anything, so that a mistake in the command leaves no trace: no store made, no lock
 * taken, no mount on top of another.
 */
import { checkMountPoint } from '../fuse/mount-point.js';
import { livenessOf } from './liveness.js';
import { MountError } from './mount-error.js';
import { FILE_SYSTEM_TYPE, mountAt } from './mount-table.js';

/** Throws what stands against a mount of `store` on `mountPoint`; both are paths as `paths.ts` makes them. */
export function checkPreconditions(mountPoint: string, store: string, nonempty: boolean): void {
  checkNotMounted(mountPoint);
  checkMountPoint(mountPoint, nonempty);
  checkPlacement(mountPoint, store);
}

function checkNotMounted(mountPoint: string): void {
  const entry = mountAt(mountPoint);
  if (entry?.type !== FILE_SYSTEM_TYPE) {
    return;
  }
  if (livenessOf(mountPoint) === 'dead') {
    throw new MountError(
      'dead-mount',
      `On ${mountPoint} is a mount whose daemon is gone.`,
      `Clear it, then mount again: razorfs umount ${mountPoint}`,
    );
  }
  throw new MountError(
    'busy',
    `${mountPoint} is a RazorFS mount already; its store is ${entry.source}.`,
    `To mount another store there: razorfs umount ${mountPoint}`,
  );
}

const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer === '/' ? outer : `${outer}/`);

/**
 * Refuses a mount point inside the store (the daemon would ask itself for its own files and wait for ever) and a store inside
 * the mount point (the mount would hide it).
 */
export function checkPlacement(mountPoint: string, store: string): void {
  if (isWithin(mountPoint, store)) {
    throw new MountError(
      'placement',
      `The mount point ${mountPoint} lies inside the store ${store}.`,
      'Mount somewhere else, or keep the store elsewhere with --store DIR.',
    );
  }
  if (isWithin(store, mountPoint)) {
    throw new MountError(
      'placement',
      `The store ${store} lies inside the mount point ${mountPoint}, which would hide it.`,
      'Keep the store elsewhere with --store DIR, or mount on another directory.',
    );
  }
}
