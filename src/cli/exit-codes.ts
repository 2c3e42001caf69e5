/**
 * Every exit code of `razorfs`, in one place. (`razorfsck` exits as fsck(8) does.) Programs may rely on them; the same
 * table is printed by `razorfs --help`.
 */

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
  fuse: 'FUSE is not available: no /dev/fuse, no fusermount3',
  notMounted: 'nothing is mounted there',
  notClean: 'unmounted, but the store was not left clean: the next mount recovers it',
};

/** The table for `--help`. */
export function exitCodeHelp(): string {
  const rows = Object.entries(EXIT).map(([name, code]) => `  ${String(code).padStart(2)}  ${MEANINGS[name as keyof typeof EXIT]}`);
  return `Exit codes:\n${rows.join('\n')}`;
}
