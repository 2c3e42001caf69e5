/** What a reset would take away, summed up: also when it is much, without keeping others waiting. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { Vanishing } from '../../src/mount/commands/vanishing.js';
import type { FileChange, FileSummary } from '../../src/volume/file-change.js';

const FILES = 50_000;
const DIRECTORY = 0o040755;

const added = (path: string, mode: number): FileChange => ({
  type: 'added',
  path: Buffer.from(path),
  pathBefore: undefined,
  before: undefined,
  after: { mode, size: 10 } as FileSummary,
  aspects: [],
});

t.test('others are let in', async (t) => {
  const vanishing = new Vanishing(['kept']);
  for (const path of ['gone', 'gone/below', 'kept']) vanishing.note(added(path, DIRECTORY));
  for (let made = 0; made < FILES; made++) vanishing.note(added(`gone/below/${made}`, 0o100644));
  for (const path of ['alone', 'kept/file']) vanishing.note(added(path, 0o100644));
  let isDone = false;
  const summary = vanishing.summary().finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns++) await setImmediate();
  t.ok(turns > 5, `${turns} times`);
  const { paths, bytes } = await summary;
  t.match(paths, [
    { path: '/gone', change: 'added', isDirectory: true, files: FILES },
    { path: '/alone', change: 'added', isDirectory: false, files: 1 },
  ]);
  t.equal(bytes, (FILES + 3) * 10);
});
