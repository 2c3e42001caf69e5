/**
 * Stores of format 1, as the version before volumes and snapshots wrote them: they check clean, can be repaired, open with all that
 * is in them, and are of the present format from then on. `fixtures/format-1.tar.gz` holds one that was unmounted, one whose process
 * was killed (its log waits), and what is in both.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { FORMAT_VERSION, FORMAT_WITHOUT_CATALOG } from '../../src/store/superblock.js';
import { Datasets } from '../../src/volume/datasets.js';
import { timestampOf } from '../../src/volume/inode.js';
import { Store } from '../../src/volume/store.js';
import { changeSuperblock, flip, leavesOf, pagePlace, superblockOf } from '../check/damage.js';
import { type Contents, check, contentsOf, repair, temporaryDirectory } from '../check/store-fixture.js';
import { ROOT } from '../cli/program.js';

const FIXTURE = path.join(ROOT, 'test/fixtures/format-1.tar.gz');
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

type Name = 'clean' | 'killed';

/** A copy of a store of the fixture, and what is in it. */
function unpack(test: Test, name: Name): { readonly directory: string; readonly contents: Contents } {
  const place = temporaryDirectory(test);
  execFileSync('tar', ['-xzf', FIXTURE, '-C', place]);
  const all: unknown = JSON.parse(readFileSync(path.join(place, 'contents.json'), 'utf8'));
  const contents = new Map(Object.entries((all as Record<Name, Record<string, string>>)[name]));
  return { directory: path.join(place, name), contents };
}

/** Opens a store on the host, as its superblock has it, that wrote it last. */
const open = (directory: string, readOnly = false): Promise<Store> =>
  Store.open(new HostDisk(directory, { readOnly }), {
    durability: 'interval',
    commitIntervalMs: 60_000,
    readOnly,
    bootId: superblockOf(directory).bootId,
    log: quiet,
    now: () => timestampOf(1_700_000_000_123),
  });

const sorted = (contents: Contents): Contents => new Map([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));

async function checkContents(t: Test, store: Store, expected: Contents): Promise<void> {
  const found = await contentsOf(new FileSystem(store.main, { atime: 'noatime' }));
  t.strictSame(sorted(found), sorted(expected), 'all is there');
}

for (const name of ['clean', 'killed'] as const) {
  t.test(`a store that was ${name === 'clean' ? 'unmounted' : 'not unmounted'}`, async (t) => {
    const { directory, contents } = unpack(t, name);
    t.equal(superblockOf(directory).version, FORMAT_WITHOUT_CATALOG);
    t.strictSame((await check(directory)).errors, [], 'checks clean before');
    const store = await open(directory);
    await checkContents(t, store, contents);
    await new Datasets(store).createSnapshot('main', 'first');
    await store.close();
    t.equal(superblockOf(directory).version, FORMAT_VERSION, 'has the present format');
    t.strictSame((await check(directory)).errors, [], 'checks clean after');
    const again = await open(directory);
    await checkContents(t, again, contents);
    await again.close();
  });
}

t.test('a store that may not be changed stays as it is', async (t) => {
  const { directory, contents } = unpack(t, 'clean');
  const store = await open(directory, true);
  await checkContents(t, store, contents);
  await store.close();
  t.equal(superblockOf(directory).version, FORMAT_WITHOUT_CATALOG);
});

t.test('counters and reference counts are mended in their format', async (t) => {
  const { directory, contents } = unpack(t, 'clean');
  changeSuperblock(directory, { inodes: 3 });
  rmSync(path.join(directory, 'refs.a'));
  t.ok((await check(directory)).errors.length > 0);
  await repair(directory);
  t.strictSame((await check(directory)).errors, []);
  t.equal(superblockOf(directory).version, FORMAT_WITHOUT_CATALOG);
  const store = await open(directory);
  await checkContents(t, store, contents);
  await store.close();
});

t.test('a damaged tree is built anew, in the present format', async (t) => {
  const { directory, contents } = unpack(t, 'clean');
  const { root } = superblockOf(directory);
  const { file, position } = pagePlace(leavesOf(directory, root).length > 1 ? root : leavesOf(directory, root)[0]);
  flip(path.join(directory, file), position + 700);
  t.match((await check(directory)).errors, [{ code: 'page' }]);
  await repair(directory);
  t.strictSame((await check(directory)).errors, []);
  t.equal(superblockOf(directory).version, FORMAT_VERSION);
  const store = await open(directory);
  await checkContents(t, store, contents);
  await store.close();
});
