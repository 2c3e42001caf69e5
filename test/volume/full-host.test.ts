/** A host without space: a store that was left clean can be opened, and emptied. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

t.test('a store that was left clean is opened without another file for its log', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const logFiles = (): string[] => readdirSync(join(served.directory, 'wal'));
  const before = logFiles();
  for (let round = 0; round < 3; round++) {
    served.makeFile(`file ${round}`, Buffer.from('x'));
    await served.reopen();
  }
  t.strictSame(logFiles(), before);
  await served.store.close();
});
