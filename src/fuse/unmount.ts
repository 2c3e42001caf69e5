/**
 * Taking a mount away: by umount2(2) as root, through the setuid program fusermount3 otherwise.
 */
import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { errnoName, unmount as unmountByKernel } from '../native/addon.js';
import { FuseError } from './fuse-error.js';
import { shellWord } from './shell-word.js';

/** Flags of umount2(2). */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

export const FUSERMOUNT = 'fusermount3';

export const isRoot = (): boolean => process.geteuid?.() === 0;

/** The command by which a person detaches a mount that does not answer. */
export const detachCommand = (path: string): string =>
  isRoot() ? `umount -l ${shellWord(path)}` : `${FUSERMOUNT} -u -z ${shellWord(path)}`;

/** fusermount3 could not be started. */
export function fusermountMissing(error: NodeJS.ErrnoException): FuseError {
  return new FuseError(
    'no-fusermount',
    error.code === 'ENOENT'
      ? `${FUSERMOUNT} is not installed, which users other than root need.`
      : `${FUSERMOUNT} cannot be started: ${error.message}.`,
    'Install it (on Debian and Ubuntu: apt install fuse3), or do this as root.',
  );
}

const busy = (path: string): FuseError =>
  new FuseError(
    'busy',
    `${path} is in use.`,
    `Close what uses it (fuser -vm ${shellWord(path)} lists it), or detach it with: ${detachCommand(path)}`,
  );

const notMounted = (path: string): FuseError => new FuseError('not-mounted', `Nothing is mounted on ${path}.`);

function unmountAsRoot(path: string, lazy: boolean): void {
  const result = unmountByKernel(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0));
  if (result === 0) {
    return;
  }
  switch (-result) {
    case constants.errno.EBUSY:
      throw busy(path);
    case constants.errno.EINVAL:
    case constants.errno.ENOENT:
      throw notMounted(path);
    case constants.errno.EPERM:
      throw new FuseError(
        'no-permission',
        `${path} may not be unmounted from here.`,
        'Unmount it where it was mounted: this process lacks the capability CAP_SYS_ADMIN.',
      );
    default:
      throw new FuseError('mount-failed', `${path} cannot be unmounted: ${errnoName(result)}.`);
  }
}

function unmountThroughFusermount(path: string, lazy: boolean): void {
  const run = spawnSync(FUSERMOUNT, ['-u', ...(lazy ? ['-z'] : []), '--', path], { encoding: 'utf8' });
  if (run.error !== undefined) {
    throw fusermountMissing(run.error);
  }
  if (run.status === 0) {
    return;
  }
  const said = run.stderr.trim();
  if (/busy/i.test(said)) {
    throw busy(path);
  }
  if (/not found|invalid argument/i.test(said)) {
    throw notMounted(path);
  }
  throw new FuseError('mount-failed', `${path} cannot be unmounted: ${said}.`);
}

/**
 * Unmounts `path`. `lazy`: it disappears at once, and ends when the last user is done; without it, a mount in use is refused
 * with a `FuseError` of code `busy`.
 */
export function unmount(path: string, lazy = false): void {
  if (isRoot()) {
    unmountAsRoot(path, lazy);
  } else {
    unmountThroughFusermount(path, lazy);
  }
}
