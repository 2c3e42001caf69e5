/**
 * Absolute paths without symbolic links, for mount points and stores, that never ask a mounted file system anything: a dead
 * FUSE mount answers ENOTCONN, and one whose daemon hangs does not answer at all. So only the directory around a mount
 * point is resolved, as mount(8) and fusermount3(1) do.
 */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { mountAt } from './mount-table.js';

/** The real path of the nearest existing directory above, with the missing rest of the path. */
function realPathAsFarAsItExists(absolute: string): string {
  try {
    return realpathSync(absolute);
  } catch {
    const parent = path.dirname(absolute);
    return parent === absolute ? absolute : path.join(realPathAsFarAsItExists(parent), path.basename(absolute));
  }
}

/** The path under which the kernel lists a mount at `given`. */
export function mountPointPath(given: string): string {
  const absolute = path.resolve(given);
  if (mountAt(absolute) !== undefined) {
    return absolute;
  }
  const besideParent = path.join(realPathAsFarAsItExists(path.dirname(absolute)), path.basename(absolute));
  return mountAt(besideParent) !== undefined ? besideParent : realPathAsFarAsItExists(absolute);
}

/** The path of a store, which may not exist yet. */
export function storePath(given: string): string {
  return realPathAsFarAsItExists(path.resolve(given));
}
