/**
 * A mount, an unmount or a question about one that cannot be answered: one sentence for a person, and what to do next.
 * The store's own refusals are `StoreError`, the kernel side's are those of `fuse`.
 */

export type MountErrorCode =
  /** No RazorFS file system is mounted there. */
  | 'not-mounted'
  /** The mount point lies inside the store, or the store inside the mount point. */
  | 'placement'
  /** The serving process is gone, and the mount is still there. */
  | 'dead-mount'
  /** Somebody still uses the mount. */
  | 'busy'
  /** The serving process could not leave the store clean. */
  | 'not-clean'
  /** The serving process ended, or could not be started. */
  | 'daemon-failed'
  /** The mount ends with its serving process. */
  | 'not-restartable'
  /** The serving process is there but does not answer. */
  | 'no-answer'
  /** The mount or its store belongs to another user. */
  | 'no-permission'
  /** The store is being closed, or its process replaced. */
  | 'ending'
  /** A command was given up before its end. */
  | 'interrupted'
  /** What programs have written could not be brought into the store. */
  | 'flush-failed';

export class MountError extends Error {
  /** A stable name for programs (`--json`) and tests. */
  readonly code: MountErrorCode;
  /** What the reader can do about it, a full sentence or a command line; empty where there is nothing to add. */
  readonly advice: string;

  constructor(code: MountErrorCode, message: string, advice = '') {
    super(message);
    this.name = 'MountError';
    this.code = code;
    this.advice = advice;
  }
}
