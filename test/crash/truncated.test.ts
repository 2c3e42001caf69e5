/** When the host files of truncated files are cut: once the record of that is durable, and not left as they are. */
import t from 'tap';
import { BlobStore } from '../../src/blobs/blob-store.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { asBlobId, type BlobId, type Ino, ROOT_INO } from '../../src/store/units.js';
import type { Store } from '../../src/volume/store.js';
import { LOSE_ALL } from './fates.js';
import { SimulatedDisk } from './simulated-disk.js';
import { makeStore, OTHER_BOOT, openStore, SAME_BOOT, settle } from './small-store.js';

const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const [LARGE, SMALL] = [100_000, 40_000];

class Life {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly files: FileSystem;
  readonly ino: Ino;

  private constructor(disk: SimulatedDisk, store: Store) {
    this.disk = disk;
    this.store = store;
    this.files = new FileSystem(store.main, { atime: 'noatime' });
    const out = new Attributes();
    this.files.makeNode(ROOT_INO, Buffer.from('file'), 0o100644, 0, CALLER, out);
    this.ino = out.ino;
  }

  /** With a large file that is durable. */
  static async begin(): Promise<Life> {
    const disk = new SimulatedDisk();
    await makeStore(disk);
    const life = new Life(disk, await openStore(disk, SAME_BOOT));
    life.write(0, LARGE);
    await settle(disk, life.store.commit('all'));
    return life;
  }

  write(at: number, length: number): void {
    this.files.write(this.ino, at, length, new Uint8Array(length).fill(1), 0, false, CALLER);
  }

  truncate(): void {
    this.files.setAttributes(this.ino, { size: SMALL }, CALLER, new Attributes());
  }

  get hostBytes(): number {
    return this.disk.files().find(({ path }) => path.startsWith('blobs/'))?.size ?? 0;
  }
}

t.test('after a sync at once there is something left to do, which is to cut', async (t) => {
  const life = await Life.begin();
  const { disk, store } = life;
  life.truncate();
  t.ok(life.files.syncAtOnce(life.ino));
  t.equal(life.hostBytes, LARGE, 'cutting takes time');
  t.ok(store.isDirty, 'the interval will find it');
  await settle(disk, store.commit('all'));
  t.equal(life.hostBytes, SMALL);
  await settle(disk, store.close());
});

t.test('a successor finds no file to be cut', async (t) => {
  const life = await Life.begin();
  life.truncate();
  await settle(life.disk, life.store.suspend());
  t.equal(life.hostBytes, SMALL);
});

t.test('a commit does not cut for a record after its own, although the size is the same', async (t) => {
  const life = await Life.begin();
  const { disk, store } = life;
  life.truncate();
  const commit = store.commit('all');
  await Promise.resolve();
  t.ok(disk.pendingSyncs > 0, 'it is under way');
  life.write(SMALL, LARGE - SMALL);
  life.truncate();
  await settle(disk, commit);
  t.equal(life.hostBytes, LARGE, 'the second record may be lost yet');
  await settle(disk, store.commit('all'));
  t.equal(life.hostBytes, SMALL);
  await settle(disk, store.close());
});

t.test('what was cut off does not come back when the process dies, and then the power goes', async (t) => {
  const life = await Life.begin();
  const { disk, store } = life;
  const out = new Attributes();
  life.files.makeNode(ROOT_INO, Buffer.from('other'), 0o100644, 0, CALLER, out);
  const other = out.ino;
  life.truncate();
  await settle(disk, store.checkpoint());
  await settle(disk, store.commit('all'));
  await settle(disk, new Promise((resolve) => setImmediate(resolve)));
  while (disk.pendingSyncs > 0) disk.completeSync(0);
  const left = disk.afterProcessDeath();
  disk.kill();
  const successor = new FileSystem((await openStore(left, SAME_BOOT)).main, { atime: 'noatime' });
  successor.write(life.ino, LARGE - 10, 10, new Uint8Array(10), 0, false, CALLER);
  await settle(left, successor.sync(other));
  const last = left.afterPowerLoss(LOSE_ALL);
  const recovered = await openStore(last, OTHER_BOOT);
  const files = new FileSystem(recovered.main, { atime: 'noatime' });
  const into = new Uint8Array(LARGE);
  const length = await files.read(life.ino, 0, LARGE, into, 0);
  t.notOk(into.subarray(SMALL, length).includes(1));
  await settle(last, recovered.close());
});

t.test('a blob that is gone needs no sync, although one was under way', async (t) => {
  const disk = new SimulatedDisk();
  disk.makeDirectory('blobs');
  const blobs = new BlobStore(disk, false);
  const id: BlobId = asBlobId(1);
  blobs.create(id);
  blobs.write(id, new Uint8Array(100), 0, 100, 0);
  const sync = blobs.sync(id);
  blobs.remove(id);
  t.notOk(blobs.isUnsynced(id));
  t.doesNotThrow(() => blobs.syncNow(id));
  await settle(disk, sync);
});
