/**
 * Which mount a directory is on, and its path there.
 */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { MountError } from './mount-error.js';
import { FILE_SYSTEM_TYPE, mountAt } from './mount-table.js';
import { mountPointPath } from './paths.js';

export interface MountedDirectory {
  readonly mountPoint: string;
  /** From the root of what is mounted, which a bind mount may show a part of; empty for the root. */
  readonly path: string;
}

/** Throws MountError for what is not on a mount of RazorFS, and what the kernel answers for what is not there. */
export function mountedDirectory(given: string): MountedDirectory {
  // A mount point itself is not asked: nobody may be there to answer.
  const isMountPoint = mountAt(mountPointPath(given)) !== undefined;
  const directory = isMountPoint ? mountPointPath(given) : realpathSync(given);
  for (let mountPoint = directory; ; mountPoint = path.dirname(mountPoint)) {
    const entry = mountAt(mountPoint);
    if (entry?.type === FILE_SYSTEM_TYPE) {
      const shown = path.join(entry.root, path.relative(mountPoint, directory));
      return { mountPoint, path: path.relative('/', shown) };
    }
    if (entry !== undefined || mountPoint === '/') {
      throw new MountError(
        'not-mounted',
        `${given} is not on a mount of RazorFS.`,
        'Name a directory on a mount, or a store and a path in it.',
      );
    }
  }
}
