/**
 * Failures of opening or making a store, put into words for the person who asked: the layers below name files and errno
 * numbers, or what is wrong with "the store"; here it becomes which store, and what to do about it.
 */
import { CorruptionError } from '../errors/corruption.js';
import { StoreError } from '../errors/store-error.js';
import { DiskError } from '../store/disk.js';

const SEE_KERNEL_LOG = 'The kernel log (dmesg) may say more.';
const FREE_SPACE = 'Free some space on its disk, and try again.';

/** The error to show for `error`, which was thrown while the store at `store` was opened or made. */
export function explainStoreFailure(store: string, error: unknown): unknown {
  if (error instanceof CorruptionError) {
    return new StoreError(
      'damaged',
      `The store ${store} is damaged: ${error.message}.`,
      `Check it: razorfsck ${store}`,
    );
  }
  if (error instanceof DiskError) {
    return explainDiskFailure(store, error);
  }
  if (error instanceof StoreError) {
    const message = error.message.includes(store)
      ? error.message
      : `The store ${store} cannot be used: ${error.message}.`;
    return new StoreError(error.code, message, error.advice === '' ? adviceFor(store, error) : error.advice);
  }
  return error;
}

/** The error to show for one with which a command on the store at `store` ended, in this process or in another, where it goes by its name. */
export function explainCommandFailure(store: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : '';
  if (error.name === 'DiskError') {
    return code === 'ENOSPC' || code === 'EDQUOT'
      ? new StoreError('no-space', `There is no space left for the store ${store} (${error.message}).`, FREE_SPACE)
      : new StoreError('io-error', `The disk of the store ${store} failed (${error.message}).`, SEE_KERNEL_LOG);
  }
  if (error.name === 'CorruptionError') {
    return new StoreError(
      'damaged',
      `The store ${store} is damaged: ${error.message}.`,
      `Check it: razorfsck ${store}`,
    );
  }
  if (error.name === 'Errno' && code === 'EROFS') {
    return new StoreError(
      'read-only',
      `Nothing can be changed in ${store}: it is read-only.`,
      'See why: razorfs status',
    );
  }
  return error;
}

function adviceFor(store: string, error: StoreError): string {
  switch (error.code) {
    case 'damaged':
    case 'unusable-superblock':
      return `Check it: razorfsck ${store}`;
    case 'not-a-store':
      return 'Name an empty or new directory for the store.';
    case 'newer-format':
    case 'in-use':
    case 'bad-label':
    case 'no-space':
    case 'no-permission':
    case 'not-empty':
    case 'not-built':
    case 'io-error':
    case 'read-only':
    case 'no-such-volume':
    case 'no-such-snapshot':
    case 'no-such-path':
    case 'not-confirmed':
    case 'no-such-directory':
    case 'no-such-quota':
    case 'bad-quota':
    case 'bad-name':
    case 'bad-property':
    case 'exists':
    case 'held':
    case 'unswept':
    case 'bad-stream':
    case 'wrong-base':
    case 'changed':
      return '';
  }
}

function explainDiskFailure(store: string, error: DiskError): StoreError {
  const what = `${error.syscall} of ${store}/${error.path} failed: ${error.code}`;
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError(
        'no-space',
        `There is no space left for the store ${store} (${what}).`,
        'Free some space on its disk, or use a store on another with --store DIR.',
      );
    case 'EACCES':
    case 'EPERM':
      return new StoreError(
        'no-permission',
        `The store ${store} cannot be used: permission denied (${what}).`,
        'Try again as its owner or as root, or name another directory with --store DIR.',
      );
    case 'EROFS':
      return new StoreError(
        'no-permission',
        `The store ${store} lies on a file system that is mounted read-only.`,
        'Make that file system writable. (A store that was unmounted properly can be mounted with --read-only.)',
      );
    default:
      return new StoreError('io-error', `The store ${store} cannot be used: ${what}.`, SEE_KERNEL_LOG);
  }
}
