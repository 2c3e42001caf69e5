/**
 * What serving one kind of request means; the table of them is in operation-table.ts.
 */
import type { Service } from './service.js';

/** What a handler returns for a request that wants no reply. */
export const NO_REPLY = -1;
/** What a handler returns when the reply will come later. */
export const DEFERRED = -2;

/** Returns the length of the payload that it has put into `service.reply`, or one of the constants above; throws `Errno`. */
export type Handler = (service: Service) => number;

export interface Operation {
  /** Bytes that must follow the header. */
  readonly bodyBytesMin: number;
  readonly handler: Handler;
  /** Serves a request that is sent again although its change was made; undefined where that can be made again. */
  readonly applied: Handler | undefined;
  /** May have changed something: its reply waits for `pendingCommit`. */
  readonly changes: boolean;
  /** The kernel expects no reply, not even an error. */
  readonly noReply: boolean;
}
