/**
 * A store that cannot be opened, or a command that cannot be done: one sentence for a person, and what to do next.
 */
export class StoreError extends Error {
  /** What the reader can do about it, a full sentence or a command line; empty where there is nothing to add. */
  readonly advice: string;
  /** A stable name for programs (`--json`) and tests. */
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, advice = '') {
    super(message);
    this.name = 'StoreError';
    this.code = code;
    this.advice = advice;
  }
}

export type StoreErrorCode =
  | 'not-a-store'
  | 'newer-format'
  | 'unusable-superblock'
  | 'damaged'
  | 'in-use'
  | 'bad-label'
  | 'no-space'
  | 'no-permission'
  | 'not-empty'
  | 'not-built'
  | 'no-such-volume'
  | 'no-such-snapshot'
  | 'no-such-path'
  | 'not-confirmed'
  | 'bad-name'
  | 'bad-property'
  | 'exists'
  | 'held'
  | 'unswept'
  | 'read-only'
  | 'no-such-directory'
  | 'no-such-quota'
  | 'bad-quota'
  | 'bad-stream'
  | 'wrong-base'
  | 'changed'
  | 'io-error'
  /** Nothing may be changed any more, after a failure. */
  | 'read-only';
