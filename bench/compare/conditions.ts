/** What a measurement can ask for before it begins. */
import type { DropCache } from '../host.js';

export interface Conditions {
  /** Lets earlier writes come to rest, so that they are not paid for by what is timed next. */
  readonly settle: () => Promise<void>;
  readonly dropCache: DropCache;
}
