/** What small files and names leave behind is given back to the host, and what lives is moved unharmed. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { ServedVolume, SMALL_GEOMETRY, VOLUME_OPTIONS } from './served-volume.js';

const FILES = 600;
const contentOf = (index: number): Buffer => Buffer.alloc(3000, `content of file ${index} `);
const isKept = (index: number): boolean => index % 7 === 0;

t.test('segments that have become sparse are emptied and deleted', async (test) => {
  const served = await ServedVolume.make(test, SMALL_GEOMETRY);
  for (let index = 0; index < FILES; index++) served.makeFile(`file ${index}`, contentOf(index));
  await served.store.checkpoint();
  const before = served.store.status().bytes.packs;
  for (let index = 0; index < FILES; index++) if (!isKept(index)) served.remove(`file ${index}`);

  const { arena } = served.volume.state.packs;
  const sparse = (): number =>
    [...arena.live].filter(([index, live]) => index < arena.lastSegment && live < arena.segmentBytes / 2).length;
  test.ok(sparse() > 0, 'there are sparse segments');
  for (let round = 0; sparse() > 0 && round < 1000; round++) {
    await served.store.checkpoint();
    for (let turn = 0; turn < 100; turn++) await setImmediate();
  }
  test.equal(sparse(), 0, 'none is left');
  const after = served.store.status().bytes.packs;
  test.ok(after < before / 2, `the packs shrank from ${before} to ${after} bytes`);

  for (const open of ['before', 'after'] as const) {
    if (open === 'after') await served.reopen(VOLUME_OPTIONS);
    let wrong = 0;
    for (let index = 0; index < FILES; index++) {
      if (isKept(index) && !(await served.read(served.find(`file ${index}`))).equals(contentOf(index))) wrong++;
    }
    test.equal(wrong, 0, `every file that was kept reads as it was, ${open} reopening`);
  }
  await served.store.close();
});
