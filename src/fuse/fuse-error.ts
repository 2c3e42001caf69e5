/**
 * A mount that the kernel, its FUSE device or the mount point do not allow: one sentence for a person, and what to do next.
 */

export type FuseErrorCode =
  /** There is no /dev/fuse, or the kernel's FUSE is too old. */
  | 'no-fuse'
  /** /dev/fuse, mount(2) or fusermount3 refuse this user. */
  | 'no-permission'
  /** fusermount3 is not installed, which users other than root need. */
  | 'no-fusermount'
  /** The mount point is missing, no directory, or cannot be looked at. */
  | 'mount-point'
  | 'not-empty'
  /** A mount whose process is gone is still there. */
  | 'dead-mount'
  | 'not-mounted'
  /** Somebody still uses the mount. */
  | 'busy'
  /** A word after `-o` that is not known, or does not fit the others. */
  | 'mount-option'
  | 'mount-failed';

export class FuseError extends Error {
  /** A stable name for programs (`--json`) and tests. */
  readonly code: FuseErrorCode;
  /** What the reader can do about it, a full sentence or a command line; empty where there is nothing to add. */
  readonly advice: string;

  constructor(code: FuseErrorCode, message: string, advice = '') {
    super(message);
    this.name = 'FuseError';
    this.code = code;
    this.advice = advice;
  }
}
