/** Rollbacks, and inodes that have no name any more. */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { Store } from '../../src/volume/store.js';
import { newStore } from '../crash/campaign.js';
import { settle, volumeOptions } from '../crash/small-store.js';
import { structuralProblem } from '../crash/structure.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

t.test('a rollback of one path leaves files alone that are in use without a name', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  served.makeFile('path', Buffer.from('before'));
  const snapshot = await datasets.createSnapshot('main', 'snapshot');
  served.remove('path');
  served.makeFile('path', Buffer.from('after'));
  const open = served.makeFile('open', Buffer.from('in use'));
  served.filesystem.unlink(ROOT_INO, Buffer.from('open'), CALLER);
  await datasets.rollBack('main', snapshot, { keepAs: undefined, path: 'path' });
  t.equal(String(await served.read(served.find('path'))), 'before');
  t.equal(String(await served.read(open)), 'in use');
  served.filesystem.forget(open);
  t.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole');
  await served.store.close();
});

t.test('replaying a rollback gives what is carried over the same numbers', async (t) => {
  const disk = await newStore();
  const options = volumeOptions('1'.repeat(32), () => 1e12);
  const store = await settle(disk, Store.open(disk, options));
  const filesystem = new FileSystem(store.main, { atime: 'noatime' });
  const datasets = new Datasets(store);
  const found = new Attributes();
  const write = (text: string, at: number): void =>
    filesystem.write(found.ino, at, text.length, Buffer.from(text), 0, false, CALLER);
  filesystem.makeNode(ROOT_INO, Buffer.from('kept'), 0o100644, 0, CALLER, found);
  write('abc', 0);
  const one = await settle(disk, datasets.createSnapshot('main', 'one'));
  filesystem.unlink(ROOT_INO, Buffer.from('kept'), CALLER);
  // Not logged: whoever replays the log has the file in the next snapshot still.
  filesystem.forget(found.ino);
  const two = await settle(disk, datasets.createSnapshot('main', 'two'));
  await settle(disk, datasets.rollBack('main', one, { keepAs: undefined }));
  await settle(disk, datasets.rollBack('main', two, { keepAs: undefined, carried: ['kept'] }));
  filesystem.lookup(ROOT_INO, Buffer.from('kept'), found);
  write('def', 3);
  await settle(disk, store.commit('all'));

  const crashed = disk.afterProcessDeath();
  disk.kill();
  await store.close().catch(() => undefined);
  disk.dispose();
  const again = await settle(crashed, Store.open(crashed, options));
  const shown = new FileSystem(again.main, { atime: 'noatime' });
  shown.lookup(ROOT_INO, Buffer.from('kept'), found);
  const content = Buffer.alloc(found.size);
  await shown.read(found.ino, 0, found.size, content, 0);
  t.equal(String(content), 'abcdef');
  t.equal(structuralProblem(again, crashed), undefined, 'the store is whole');
  await settle(crashed, again.close());
  crashed.dispose();
});
