/**
 * Telling a store from an empty place and from other people's files, and removing a store without touching those.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { directoryState, eraseStore, makeStoreDirectory, notAStore } from '../../src/mount/store-directory.js';
import { MemoryFileSystem } from '../fuse/memory-file-system.js';
import { serveMount } from '../fuse/served-mount.js';

const STORE_DIRECTORY = new URL('../../src/mount/store-directory.js', import.meta.url).href;

t.test('tells what a directory is', async (t) => {
  const base = t.testdir({
    store: { superblock: '', lock: '' },
    empty: {},
    formatted: { 'lost+found': {}, lock: '', 'razorfs.log': '' },
    other: { 'thesis.txt': '' },
    unfinished: { 'nodes.dat': '', wal: {}, lock: '' },
  });
  t.equal(directoryState(path.join(base, 'store')), 'store');
  t.equal(directoryState(path.join(base, 'empty')), 'empty');
  t.equal(
    directoryState(path.join(base, 'formatted')),
    'empty',
    'what mkfs(8) and a refused mount leave is no obstacle',
  );
  t.equal(directoryState(path.join(base, 'missing')), 'missing');
  t.equal(directoryState(path.join(base, 'other')), 'other');
  t.equal(directoryState(path.join(base, 'unfinished')), 'other');
  t.throws(() => directoryState(path.join(base, 'other/thesis.txt')), {
    code: 'not-a-store',
    message: /not a directory/,
  });
});

t.test('the names of the directories that are made for a store are durable', async (t) => {
  const host = new MemoryFileSystem();
  const { path: mountPoint, shell } = await serveMount(t, host);
  const program = `import { makeStoreDirectory } from ${JSON.stringify(STORE_DIRECTORY)};
    makeStoreDirectory(${JSON.stringify(`${mountPoint}/var/lib/store`)});`;
  await shell(`${process.execPath} --input-type=module -e '${program}'`);
  t.equal(host.syncs, 3, 'in the root, in var, and in lib');
});

t.test('the refusal tells a store without superblock from other files', async (t) => {
  const base = t.testdir({ other: { 'thesis.txt': '' }, unfinished: { 'nodes.dat': '', wal: {}, lock: '' } });
  t.match(notAStore(path.join(base, 'other')), { code: 'not-a-store' });
  t.match(notAStore(path.join(base, 'unfinished')), { code: 'damaged', advice: /mkfs --force/ });
});

t.test('erasing removes a store and nothing else', async (t) => {
  const base = t.testdir({
    superblock: '',
    'nodes.dat': '',
    'nodes.12.dat': '',
    'strings.dat': '',
    'refs.a': '',
    blobs: { '00': { 1: 'data' } },
    packs: {},
    wal: { 0: '' },
    lock: '',
    'razorfs.log': '',
    'thesis.txt': '',
    'nodes.dat.backup': '',
  });
  eraseStore(base);
  t.same(readdirSync(base).sort(), ['lock', 'nodes.dat.backup', 'thesis.txt']);
});

t.test('a store directory is made with its parents', async (t) => {
  const base = t.testdir({ file: '' });
  makeStoreDirectory(path.join(base, 'a/b'));
  t.ok(existsSync(path.join(base, 'a/b')));
  t.throws(() => makeStoreDirectory(path.join(base, 'file/b')), { name: 'StoreError', message: /cannot be made/ });
});
