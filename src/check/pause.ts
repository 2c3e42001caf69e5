/** Lets output be written and signals be handled in the middle of long work. */
import { setImmediate } from 'node:timers/promises';

export const pause = (): Promise<void> => setImmediate();
