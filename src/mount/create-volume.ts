/**
 * A new volume for whoever asked for it: its root directory belongs to them.
 */
import type { Disk } from '../store/disk.js';
import { Store } from '../volume/store.js';

/** Makes an empty volume on a disk that has none. */
export function createVolume(disk: Disk, label: string): Promise<void> {
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  return Store.create(disk, { label, now: Date.now(), owner });
}
