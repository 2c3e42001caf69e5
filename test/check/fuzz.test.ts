/**
 * Random damage to every file of a store: neither razorfsck nor a mount's code crashes, hangs or loops, and after a repair the
 * store is in order. The seed is printed, and each case before it is run; RAZORFS_SEED replays it.
 */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { Errno } from '../../src/errors/errno.js';
import { StoreError } from '../../src/errors/store-error.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { DiskError } from '../../src/store/disk.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { encodeSuperblock } from '../../src/store/superblock.js';
import { ROOT_INO } from '../../src/store/units.js';
import { Random } from '../random.js';
import { datasetsOf, leavesOf, overwrite, readPage, superblockOf, writePage } from './damage.js';
import { makeStoreWithSnapshots } from './snapshots-fixture.js';
import {
  CALLER,
  check,
  contentsOfAll,
  copyStore,
  fileSystemOf,
  makeStore,
  openStore,
  repair,
  write,
} from './store-fixture.js';

/** More with RAZORFS_ROUNDS. */
const ROUNDS = Number(process.env.RAZORFS_ROUNDS ?? 12);

t.setTimeout(600_000);
const clean = await makeStore(t, 200);
const unclean = await makeUnclean(t);
const withSnapshots = await makeStoreWithSnapshots(t, 60);

/** A store as a killed process leaves it: operations wait in its log. */
async function makeUnclean(test: Test): Promise<string> {
  const store = copyStore(test, clean);
  const opened = await openStore(store);
  const fileSystem = fileSystemOf(opened);
  const out = new Attributes();
  for (let i = 0; i < 100; i++) {
    fileSystem.makeNode(ROOT_INO, Buffer.from(`late ${i}`), 0o100644, 0, CALLER, out);
    write(fileSystem, out.ino, 0, Buffer.alloc(i * 400, i));
    if (i % 7 === 0) fileSystem.unlink(ROOT_INO, Buffer.from(`late ${i}`), CALLER);
  }
  const copy = copyStore(test, store);
  await opened.close();
  return copy;
}

/** The store's files that hold anything, but for the lock. */
const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('repair-backup') && statSync(join(directory, name)).isFile())
    .filter((name) => name !== 'lock' && statSync(join(directory, name)).size > 0)
    .sort();

/** Errors that say what is wrong; anything else is a crash. */
const isClear = (error: unknown): boolean =>
  error instanceof StoreError ||
  error instanceof CorruptionError ||
  error instanceof DiskError ||
  error instanceof Errno;

/** Opens the store and reads all of it, as a mount would. Clear errors are fine. */
async function useStore(directory: string): Promise<void> {
  let opened: Awaited<ReturnType<typeof openStore>>;
  try {
    opened = await openStore(directory);
  } catch (error) {
    if (isClear(error)) return;
    throw error;
  }
  try {
    await contentsOfAll(opened);
  } catch (error) {
    if (!isClear(error)) throw error;
  } finally {
    await opened.close().catch((error) => {
      if (!isClear(error)) throw error;
    });
  }
}

/** Checks, uses and repairs a damaged store; `description` says what was done to it. */
async function survive(t: Test, directory: string, description: string): Promise<void> {
  // At once, so that it is known which case the process did not survive.
  process.stderr.write(`${t.name}: ${description}\n`);
  try {
    const used = copyStore(t, directory);
    await useStore(used);
    await check(used);
  } catch (error) {
    if (!isClear(error)) t.fail(`${description}: use: ${error instanceof Error ? error.stack : error}`);
  }
  try {
    await check(directory);
    await repair(directory, true);
  } catch (error) {
    if (!isClear(error)) t.fail(`${description}: ${error instanceof Error ? error.stack : error}`);
    return;
  }
  const { errors } = await check(directory);
  if (errors.length > 0) t.strictSame(errors, [], `${description}: in order after the repair`);
  await useStore(directory);
  const after = await check(directory);
  if (after.errors.length > 0) t.strictSame(after.errors, [], `${description}: in order after use`);
}

const randomBytes = (random: Random, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => random.below(256));

/** Mostly small numbers and edges, which get further than noise. */
const randomWord = (random: Random): number =>
  random.pick([0, 1, 2, 3, 0xffff, 0xffff_ffff, 0x8000_0000, random.below(300), random.below(2 ** 32)]);

function* stores(t: Test, rounds: number): Generator<{ directory: string; round: number }> {
  const made = [clean, withSnapshots, unclean];
  for (let round = 0; round < rounds; round++) yield { directory: copyStore(t, made[round % made.length]), round };
}

t.test('random bytes in any file', async (t) => {
  const random = Random.announced(t);
  for (const { directory, round } of stores(t, ROUNDS)) {
    const file = random.pick(filesOf(directory));
    const path = join(directory, file);
    const position = random.below(Math.min(statSync(path).size, random.pick([64, 4096, 2 ** 30])));
    overwrite(path, position, randomBytes(random, 1 + random.below(random.pick([4, 64, 5000]))));
    await survive(t, directory, `round ${round}: ${file} at ${position}`);
  }
  t.pass(`${ROUNDS} rounds`);
});

t.test('files cut off', async (t) => {
  const random = Random.announced(t);
  for (const { directory, round } of stores(t, ROUNDS)) {
    const file = random.pick(filesOf(directory));
    const path = join(directory, file);
    const length = random.pick([0, 1, 4095, 4096, random.below(statSync(path).size)]);
    truncateSync(path, Math.min(length, statSync(path).size));
    await survive(t, directory, `round ${round}: ${file} cut to ${length}`);
  }
  t.pass(`${ROUNDS} rounds`);
});

t.test('random words in pages, with right checksums', async (t) => {
  const random = Random.announced(t);
  for (const { directory, round } of stores(t, ROUNDS * 3)) {
    const { root } = superblockOf(directory);
    const dataset = random.pick(datasetsOf(directory));
    const page = random.pick([
      root,
      dataset.root,
      ...[0, 0, 0, 0].map(() => random.pick(leavesOf(directory, dataset.root))),
    ]);
    const words = readPage(directory, page);
    const changes: string[] = [];
    for (let count = 1 + random.below(4); count > 0; count--) {
      // Headers and slots, or values, which grow from the end.
      const at = random.pick([random.below(40), random.below(400), 1023 - random.below(400)]);
      words[at] = random.below(2) === 0 ? randomWord(random) : (words[at] ^ (1 << random.below(32))) >>> 0;
      changes.push(`word ${at} = ${words[at]}`);
    }
    writePage(directory, page, words);
    await survive(t, directory, `round ${round}: page ${page} ${changes.join(', ')}`);
  }
  t.pass(`${ROUNDS * 3} rounds`);
});

t.test('random fields in the superblock, with a right checksum', async (t) => {
  const random = Random.announced(t);
  const fields = [
    ...['epoch', 'lsn', 'root', 'nodesCapacity', 'stringsEnd', 'packsEnd', 'nextIno', 'nextBlob', 'inodes'],
    ...['nextDataset', 'sharedRecords'],
  ];
  for (const { directory, round } of stores(t, ROUNDS)) {
    const superblock = superblockOf(directory);
    const field = random.pick(fields);
    const value = random.pick([1, random.below(300), random.below(2 ** 32), Number.MAX_SAFE_INTEGER]);
    const slot = encodeSuperblock({ ...superblock, [field]: value });
    overwrite(join(directory, 'superblock'), (superblock.sequence % 2) * PAGE_SIZE, slot);
    await survive(t, directory, `round ${round}: ${field} = ${value}`);
  }
  t.pass(`${ROUNDS} rounds`);
});
