/**
 * What a history has been promised, and what it did: by these a recovered volume is judged.
 */
import type { DataChange } from './model.js';
import type { State } from './model-state.js';

/** A violation of what was promised. */
export class Violation extends Error {}

/** What has been promised so far. */
export interface Promises {
  /** Steps that have returned, and steps that were issued: at most one more. */
  readonly returned: number;
  readonly issued: number;
  /** Steps whose metadata is durable. */
  readonly durable: number;
  /** Steps whose data is durable, for every file and by inode. */
  readonly dataDurable: number;
  readonly fileDurable: ReadonlyMap<number, number>;
}

export interface DatedChange {
  readonly index: number;
  readonly change: DataChange;
}

/** What a history did: the states that it went through and the changes to the data of each inode. */
export interface Past {
  readonly states: readonly State[];
  readonly changes: ReadonlyMap<number, readonly DatedChange[]>;
}
