/**
 * Histories that once broke the contract, each crashed at every step in every way.
 */
import t from 'tap';
import { Random } from '../random.js';
import { newStore } from './campaign.js';
import { explore, FoundViolation, newTally } from './explore.js';
import type { Step } from './model.js';

const HISTORIES: Readonly<Record<string, readonly Step[]>> = {
  'a crash during recovery finds the log that was being replayed': [{ op: 'mkdir', path: 'd' }, { op: 'kill' }],
  'a superblock that a dead process wrote is synced before its predecessor is given up': [
    { op: 'create', path: 'a' },
    { op: 'startCheckpoint' },
    { op: 'complete', index: 0 },
    { op: 'kill' },
    { op: 'kill' },
    { op: 'create', path: 'b' },
  ],
  'data that a dead process wrote is synced by the next': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 100_000, length: 100_000 },
    { op: 'kill' },
    { op: 'fsync', path: 'a' },
  ],
  'a deleted blob whose deletion is lost is deleted again': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 100_000, length: 40_000 },
    { op: 'unlink', path: 'a' },
    { op: 'kill' },
    { op: 'checkpoint' },
    { op: 'checkpoint' },
  ],
  'what was cut off does not come back when the file grows again': [
    { op: 'create', path: 'a' },
    { op: 'mkdir', path: 'd' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 33_000 },
    { op: 'fsync', path: 'd' },
    { op: 'write', path: 'a', at: 90_000, length: 10 },
    { op: 'fsync', path: 'd' },
  ],
  'what was cut off does not come back although the process died': [
    { op: 'create', path: 'a' },
    { op: 'mkdir', path: 'd' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 33_000 },
    { op: 'fsync', path: 'd' },
    { op: 'kill' },
    { op: 'write', path: 'a', at: 90_000, length: 10 },
    { op: 'fsync', path: 'd' },
  ],
  'a synced size is kept although the record of the sync comes after a rename that does not count': [
    { op: 'create', path: 'c' },
    { op: 'allocate', path: 'c', at: 40_000, length: 100_000 },
    { op: 'startCommit' },
    { op: 'rename', path: 'c', to: 'e' },
    { op: 'complete', index: 0 },
    { op: 'complete', index: 0 },
    { op: 'complete', index: 0 },
  ],
  'a file is not cut for a growth while the log of the cut is still being synced': [
    { op: 'create', path: 'a' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'commit' },
    { op: 'truncate', path: 'a', size: 40_000 },
    { op: 'startCommit' },
    { op: 'truncate', path: 'a', size: 60_000 },
    { op: 'chmod', path: 'a' },
  ],
  'a file is not cut for a growth before the barriers of others are covered': [
    { op: 'create', path: 'a' },
    { op: 'create', path: 'b' },
    { op: 'write', path: 'a', at: 0, length: 100_000 },
    { op: 'fsync', path: 'a' },
    { op: 'write', path: 'b', at: 0, length: 100_000 },
    { op: 'rename', path: 'b', to: 'c' },
    { op: 'startCommit' },
    { op: 'truncate', path: 'a', size: 10 },
    { op: 'truncate', path: 'a', size: 50_000 },
    { op: 'chmod', path: 'a' },
  ],
};

t.setTimeout(200_000);

for (const [name, steps] of Object.entries(HISTORIES)) {
  t.test(name, { timeout: 60_000 }, async (t) => {
    const random = Random.announced(t);
    const store = await newStore();
    const tally = newTally();
    try {
      for (let round = 0; round < 2; round++) {
        await explore(store, steps, {
          random,
          tally,
          crashesAt: () => true,
          randomFates: 8,
          recoveryCrashPercent: 10,
          aftercarePercent: 20,
        });
      }
      t.pass(`${tally.crashStates} crash states`);
    } catch (error) {
      if (!(error instanceof FoundViolation)) throw error;
      t.fail(error.message);
    }
  });
}
