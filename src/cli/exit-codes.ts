/**
 * Every exit code of `razorfs`, in one place. (`razorfsck` exits as fsck(8) does.) Programs may rely on them; the same
 * table is printed by `razorfs --help`.
 */
import type { StoreErrorCode } from '../errors/store-error.js';
import type { FuseErrorCode } from '../fuse/fuse-error.js';
import type { FuseNativeErrorCode } from '../fuse-native/fuse-native-error.js';
import type { MountErrorCode } from '../mount/mount-error.js';

export const EXIT = {
  success: 0,
  failure: 1,
  usage: 2,
  mountPoint: 3,
  store: 4,
  inUse: 5,
  permission: 6,
  noSpace: 7,
  fuse: 8,
  notMounted: 9,
  notClean: 10,
} as const;

/** Those of `razorfs diff`, which are those of diff(1). */
export const EXIT_OF_DIFF = { same: 0, different: 1, trouble: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  success: 'done',
  failure: 'failed for another reason than those below',
  usage: 'the command line was not understood',
  mountPoint: 'the mount point cannot be used: missing, not empty, a dead mount',
  store: 'the store cannot be used: not a store, a newer format, damaged',
  inUse: 'the store or the mount is in use',
  permission: 'permission denied',
  noSpace: 'no space left where the store is',
  fuse: 'FUSE is not available: no /dev/fuse, no fusermount3, no libfuse 2 for fuse-native',
  notMounted: 'nothing is mounted there',
  notClean: 'unmounted, but the store was not left clean: the next mount recovers it',
};

/** The table for `--help`. */
export function exitCodeHelp(): string {
  const rows = Object.entries(EXIT).map(
    ([name, code]) => `  ${String(code).padStart(2)}  ${MEANINGS[name as keyof typeof EXIT]}`,
  );
  return `Exit codes:\n${rows.join('\n')}`;
}

const OF_STORE_ERROR: Readonly<Record<StoreErrorCode, ExitCode>> = {
  'not-a-store': EXIT.store,
  'newer-format': EXIT.store,
  'unusable-superblock': EXIT.store,
  damaged: EXIT.store,
  'not-empty': EXIT.store,
  'in-use': EXIT.inUse,
  'bad-label': EXIT.usage,
  'no-permission': EXIT.permission,
  'no-space': EXIT.noSpace,
  'not-built': EXIT.failure,
  'io-error': EXIT.failure,
  'read-only': EXIT.failure,
  'no-such-volume': EXIT.usage,
  'no-such-snapshot': EXIT.usage,
  'no-such-path': EXIT.usage,
  'not-confirmed': EXIT.failure,
  'no-such-directory': EXIT.usage,
  'no-such-quota': EXIT.usage,
  'bad-quota': EXIT.usage,
  'bad-stream': EXIT.failure,
  'wrong-base': EXIT.failure,
  changed: EXIT.inUse,
  'bad-name': EXIT.usage,
  'bad-property': EXIT.usage,
  exists: EXIT.inUse,
  held: EXIT.inUse,
  unswept: EXIT.failure,
};

const OF_FUSE_ERROR: Readonly<Record<FuseErrorCode, ExitCode>> = {
  'no-fuse': EXIT.fuse,
  'no-fusermount': EXIT.fuse,
  'no-permission': EXIT.permission,
  'mount-point': EXIT.mountPoint,
  'not-empty': EXIT.mountPoint,
  'dead-mount': EXIT.mountPoint,
  'not-mounted': EXIT.notMounted,
  busy: EXIT.inUse,
  'mount-option': EXIT.usage,
  'mount-failed': EXIT.failure,
};

const OF_MOUNT_ERROR: Readonly<Record<MountErrorCode, ExitCode>> = {
  'not-mounted': EXIT.notMounted,
  placement: EXIT.mountPoint,
  'dead-mount': EXIT.mountPoint,
  busy: EXIT.inUse,
  'not-clean': EXIT.notClean,
  'daemon-failed': EXIT.failure,
  'not-restartable': EXIT.failure,
  'no-answer': EXIT.failure,
  'no-permission': EXIT.permission,
  ending: EXIT.inUse,
  interrupted: EXIT.failure,
  'flush-failed': EXIT.failure,
};

const OF_FUSE_NATIVE_ERROR: Readonly<Record<FuseNativeErrorCode, ExitCode>> = {
  'no-libfuse2': EXIT.fuse,
  'no-package': EXIT.fuse,
  'mount-option': EXIT.usage,
  'mount-failed': EXIT.failure,
};

const TABLES: Readonly<Record<string, Readonly<Record<string, ExitCode>>>> = {
  StoreError: OF_STORE_ERROR,
  FuseError: OF_FUSE_ERROR,
  FuseNativeError: OF_FUSE_NATIVE_ERROR,
  MountError: OF_MOUNT_ERROR,
};

/** The exit code for an error, which may have crossed a process boundary: its class is known by its name. */
export function exitCodeOf(error: unknown, code: string): ExitCode {
  const name = error instanceof Error ? error.name : '';
  return TABLES[name]?.[code] ?? EXIT.failure;
}
