/**
 * Damage that hides a part of the log of a store that was killed: a mount refuses what razorfsck calls an error, so that nothing that
 * was promised is missing without a word, and a repair leaves what can be applied to the next mount.
 */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { crc32c } from '../../src/native/addon.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { asLsn, ROOT_INO } from '../../src/store/units.js';
import {
  LOG_RECORD_HEADER_BYTES,
  LOG_SEGMENT_HEADER_BYTES,
  PADDING,
  sealRecord,
  wordsOf,
} from '../../src/wal/segment.js';
import { flip, overwrite, superblockOf } from './damage.js';
import {
  CALLER,
  check,
  contentsOfStore,
  copyStore,
  fileSystemOf,
  makeEmptyStore,
  openStore,
  repair,
} from './store-fixture.js';

const FILES = 100;

/** A store that was killed after it had made files. */
async function makeKilled(t: Test): Promise<string> {
  const directory = await makeEmptyStore(t);
  const store = await openStore(directory);
  const fileSystem = fileSystemOf(store);
  for (let i = 0; i < FILES; i++) {
    fileSystem.makeNode(ROOT_INO, Buffer.from(`file ${i}`), 0o100644, 0, CALLER, new Attributes());
  }
  const killed = copyStore(t, directory);
  await store.close();
  return killed;
}

const filesIn = async (directory: string): Promise<number> =>
  [...(await contentsOfStore(directory)).keys()].filter((path) => path.startsWith('/file ')).length;

const errorsOf = async (directory: string): Promise<string[]> =>
  (await check(directory)).errors.map(({ code, problem }) => `${code}: ${problem}`);

/** The log's file that records are in, and how far. */
function lastSegment(directory: string): { readonly file: string; readonly end: number } {
  const files = readdirSync(join(directory, 'wal')).map((name) => join(directory, 'wal', name));
  const ends = files.map((file) => ({ file, end: readFileSync(file).findLastIndex((byte) => byte !== 0) + 1 }));
  return ends.filter(({ end }) => end > LOG_SEGMENT_HEADER_BYTES)[0];
}

t.test('a record in the middle', async (t) => {
  const directory = await makeKilled(t);
  t.equal(await filesIn(copyStore(t, directory)), FILES, 'all are there without damage');
  const { file, end } = lastSegment(directory);
  flip(file, LOG_SEGMENT_HEADER_BYTES + Math.floor((end - LOG_SEGMENT_HEADER_BYTES) / 2));
  await t.rejects(filesIn(copyStore(t, directory)), { message: /damaged or missing, but there are more after it/ });
  t.strictSame(await errorsOf(directory), ['log: damaged or missing, but there are more after it']);
  await repair(directory);
  t.strictSame(await errorsOf(directory), []);
  const left = await filesIn(directory);
  t.ok(left > FILES / 4 && left < FILES, `what comes before it is applied: ${left}`);
  t.strictSame(await errorsOf(directory), []);
});

t.test('a file that is cut off', async (t) => {
  const directory = await makeKilled(t);
  const { file, end } = lastSegment(directory);
  truncateSync(file, Math.floor(end / 2));
  await t.rejects(filesIn(directory), { message: /the log from LSN \d+ on is missing/ });
  t.match(await errorsOf(directory), [/^log: \d+ bytes long, should be/]);
  await repair(directory);
  t.strictSame(await errorsOf(directory), []);
  const left = await filesIn(directory);
  t.ok(left > 0 && left < FILES, `what it still has is applied: ${left}`);
});

t.test('the superblock of the last mount', async (t) => {
  const directory = await makeKilled(t);
  flip(join(directory, 'superblock'), (superblockOf(directory).sequence % 2) * PAGE_SIZE + 100);
  await t.rejects(filesIn(copyStore(t, directory)), { message: /LSN \d+ was logged is missing/ });
  await t.rejects(openStore(directory, true), { message: /LSN \d+ was logged is missing/ }, 'read-only neither');
  t.ok((await errorsOf(directory)).includes('log: logged by a mount whose superblock is missing'));
  await repair(directory);
  t.strictSame(await errorsOf(directory), []);
  t.equal(await filesIn(directory), 0);
  const [backup] = readdirSync(directory).filter((name) => name.startsWith('repair-backup-'));
  t.ok(readdirSync(join(directory, backup, 'wal')).length > 0, 'the log is kept aside');
});

t.test('the beginning of the log', async (t) => {
  const directory = await makeKilled(t);
  for (const name of readdirSync(join(directory, 'wal'))) rmSync(join(directory, 'wal', name));
  await t.rejects(filesIn(copyStore(t, directory)), { message: /the log from LSN \d+ on is missing/ });
  t.strictSame(await errorsOf(directory), ['log: missing']);
  await repair(directory);
  t.strictSame(await errorsOf(directory), []);
  t.equal(await filesIn(directory), 0);
});

t.test('a segment that was begun, and nothing logged in it, is no damage', async (t) => {
  const directory = await makeKilled(t);
  const { file } = lastSegment(directory);
  const name = join(directory, 'wal', '99');
  const header = readFileSync(file).subarray(0, LOG_SEGMENT_HEADER_BYTES);
  const bytes = Buffer.alloc(readFileSync(file).length);
  header.copy(bytes);
  for (const ahead of [1, 16]) {
    const segment = Buffer.from(bytes);
    segment.writeUInt32LE(header.readUInt32LE(24) + ahead, 24);
    segment.writeUInt32LE(crc32c(segment, 4, 36), 0);
    writeFileSync(name, segment);
    t.strictSame(await errorsOf(directory), []);
    t.equal(await filesIn(copyStore(t, directory)), FILES);
  }
  const padding = new Uint8Array(LOG_RECORD_HEADER_BYTES);
  const { end } = (await check(directory)).result.log;
  sealRecord(padding, wordsOf(padding), padding.length, asLsn(end), PADDING, 0, 0);
  overwrite(file, LOG_SEGMENT_HEADER_BYTES + (end % (bytes.length - LOG_SEGMENT_HEADER_BYTES)), padding);
  t.strictSame(await errorsOf(directory), []);
  t.equal(await filesIn(copyStore(t, directory)), FILES, 'nor is one that was left for it');
});
