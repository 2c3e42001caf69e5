/**
 * A store with all that there can be in a catalog: snapshots, a clone, files that share data with snapshots in parts, what was
 * carried over from one tree into another, quotas, and a snapshot whose destruction is not finished.
 */
import type { Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { Quotas } from '../../src/volume/quotas.js';
import type { Store } from '../../src/volume/store.js';
import { CALLER, fileSystemOf, makeEmptyStore, openStore, populate, write } from './store-fixture.js';

const CHUNK_BYTES = 64 * 1024;

function makeFile(fileSystem: FileSystem, directory: Ino, name: string, data: Uint8Array): Ino {
  const out = new Attributes();
  fileSystem.makeNode(directory, Buffer.from(name), 0o100644, 0, CALLER, out);
  write(fileSystem, out.ino, 0, data);
  return out.ino;
}

function makeDirectory(fileSystem: FileSystem, name: string): Ino {
  const out = new Attributes();
  fileSystem.makeDirectory(ROOT_INO, Buffer.from(name), 0o755, CALLER, out);
  return out.ino;
}

/** Files in the directories that the quota, the rollback and the reset are about. */
function addDirectories(fileSystem: FileSystem): void {
  for (const name of ['limited', 'carried', 'turned']) {
    const directory = makeDirectory(fileSystem, name);
    for (let i = 0; i < 20; i++) makeFile(fileSystem, directory, `${name} ${i}`, Buffer.alloc(50 * i + 10, i));
    makeFile(fileSystem, directory, `large ${name}`, Buffer.alloc(3 * CHUNK_BYTES, name));
  }
}

const chunk = (text: string): Buffer => Buffer.alloc(100, text);

/** Makes the store and unmounts it. Its snapshots are main@first, main@second and main@replaced, its volumes main and clone. */
export async function makeStoreWithSnapshots(test: Test, files = 150): Promise<string> {
  const directory = await makeEmptyStore(test);
  const store = await openStore(directory);
  const datasets = new Datasets(store);
  const fileSystem = fileSystemOf(store);
  populate(fileSystem, files);
  addDirectories(fileSystem);
  const large = makeFile(fileSystem, ROOT_INO, 'in parts', Buffer.alloc(6 * CHUNK_BYTES, 'whole '));
  await new Quotas(store).set(datasets.volume('main'), 'limited', { bytes: 2 ** 30 });
  const first = await datasets.createSnapshot('main', 'first', { comment: 'kept' });
  await store.checkpoint();
  write(fileSystem, large, CHUNK_BYTES + 5, chunk('changed'));
  write(fileSystem, large, 4 * CHUNK_BYTES, chunk('changed too'));
  for (let i = 0; i < 30; i++) makeFile(fileSystem, ROOT_INO, `after first ${i}`, Buffer.alloc(i * 200, i));
  await changeClone(store, datasets);
  const second = await datasets.createSnapshot('main', 'second');
  write(fileSystem, large, 2 * CHUNK_BYTES, chunk('once more'));
  await datasets.rollBack('main', first, { keepAs: undefined, path: 'turned' });
  await datasets.rollBack('main', second, { keepAs: 'replaced', carried: ['carried'] });
  // What served before the rollback shows the replaced state.
  makeFile(fileSystemOf(store), ROOT_INO, 'last', chunk('last'));
  const doomed = await datasets.createSnapshot('main', 'doomed');
  for (let i = 0; i < 40; i++) makeFile(fileSystemOf(store), ROOT_INO, `after doomed ${i}`, Buffer.alloc(i * 100, i));
  await store.checkpoint();
  // Closed before the reaper has its turn.
  store.perform(doomed.id, { type: 'destroy', id: doomed.id }, 0);
  await store.close();
  return directory;
}

async function changeClone(store: Store, datasets: Datasets): Promise<void> {
  await datasets.createVolume('clone', datasets.snapshot('main', 'first'), { uid: 0, gid: 0 });
  const fileSystem = new FileSystem(store.volume('clone')!, { atime: 'noatime' });
  for (let i = 0; i < 20; i++) makeFile(fileSystem, ROOT_INO, `of the clone ${i}`, Buffer.alloc(i * 500, i));
}
