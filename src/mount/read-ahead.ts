/**
 * How far the kernel reads ahead in files of a mount.
 *
 * In INIT the kernel offers what it does by default, 128 KiB, and takes no more. Root may set it for the mount's device in sysfs
 * (sysfs-class-bdi in the kernel's ABI documentation).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { DATA_BYTES_MAX } from '../fuse/negotiation.js';

const READ_AHEAD_KIB = DATA_BYTES_MAX / 1024;

/**
 * Lets the kernel read as far ahead as two requests hold. `device` is the `major:minor` of a mount. Where that may not be set (by
 * ordinary users, in most containers), and where it is more already, it stays as it is.
 */
export function widenReadAhead(device: string): void {
  const file = `/sys/class/bdi/${device}/read_ahead_kb`;
  try {
    if (Number(readFileSync(file, 'latin1')) < READ_AHEAD_KIB) writeFileSync(file, String(READ_AHEAD_KIB));
  } catch {
    // Reading goes on in smaller steps.
  }
}
