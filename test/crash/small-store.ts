/**
 * Stores on the simulated disk: how they are made and opened, and how promises that wait for the disk are brought to an end.
 */
import type { Geometry } from '../../src/store/geometry.js';
import { timestampOf } from '../../src/volume/inode.js';
import type { Durability, StoreOptions } from '../../src/volume/options.js';
import { Store } from '../../src/volume/store.js';
import { Violation } from './promises.js';
import type { SimulatedDisk } from './simulated-disk.js';

/** Small, so that segments are changed often and disks are cheap. */
export const GEOMETRY_SMALL: Geometry = {
  nodesSegmentBytes: 2 * 1024 * 1024,
  arenaSegmentBytes: 256 * 1024,
  logSegmentBytes: 256 * 1024,
};

/** The time of state 0 of the first life, in seconds since 1970; each step takes one. */
export const EPOCH_SECONDS = 1_000_000_000;
const NEVER_MS = 0x7fff_ffff;

/** Lets the promise settle, completing disk syncs in an order that `pick` chooses. */
export async function settle<T>(disk: SimulatedDisk, promise: Promise<T>, pick = (_count: number) => 0): Promise<T> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  promise.then(note, note);
  for (let idle = 0; !isSettled; ) {
    for (let turn = 0; turn < 12 && !isSettled; turn++) await null;
    if (isSettled) break;
    if (disk.pendingSyncs > 0) {
      disk.completeSync(pick(disk.pendingSyncs));
      idle = 0;
      continue;
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (++idle > 1000) throw new Violation('a promise never settles although the disk has nothing to do');
  }
  return promise;
}

export function volumeOptions(bootId: string, now: () => number, durability: Durability = 'interval'): StoreOptions {
  const ignore = (): void => undefined;
  return {
    durability,
    commitIntervalMs: NEVER_MS,
    readOnly: false,
    bootId,
    log: { info: ignore, warn: ignore, error: ignore },
    now: () => timestampOf(now()),
  };
}

/** Makes a store on an empty disk. */
export async function makeStore(disk: SimulatedDisk): Promise<void> {
  const owner = { uid: 0, gid: 0 };
  const created = Store.create(disk, { label: '', geometry: GEOMETRY_SMALL, now: EPOCH_SECONDS * 1000, owner });
  await settle(disk, created);
}

/** Boot ids: of the host that a store begins on, and of the same host after a loss of power. */
export const SAME_BOOT = '1'.repeat(32);
export const OTHER_BOOT = '2'.repeat(32);

/** Opens a store at a time after all that tests do. */
export const openStore = (disk: SimulatedDisk, bootId: string): Promise<Store> =>
  settle(
    disk,
    Store.open(
      disk,
      volumeOptions(bootId, () => 2_000_000_000_000),
    ),
  );
