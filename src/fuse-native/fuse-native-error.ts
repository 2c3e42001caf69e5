/**
 * A mount over fuse-native that cannot be made: one sentence for a person, and what to do next.
 */

export type FuseNativeErrorCode =
  /** The package, or the libfuse 2 that it is linked with, is not on this machine. */
  | 'no-libfuse2'
  | 'no-package'
  /** A word after `-o` that this transport cannot honour. */
  | 'mount-option'
  | 'mount-failed';

export class FuseNativeError extends Error {
  /** A stable name for programs (`--json`) and tests. */
  readonly code: FuseNativeErrorCode;
  /** What the reader can do about it, a full sentence or a command line; empty where there is nothing to add. */
  readonly advice: string;

  constructor(code: FuseNativeErrorCode, message: string, advice = '') {
    super(message);
    this.name = 'FuseNativeError';
    this.code = code;
    this.advice = advice;
  }
}
