/**
 * A sync that fails while other work that needs durability is under way or waits: nobody is told that it is durable.
 *
 * The kernel tells a failure once, and the next sync of the same file succeeds without what was lost (fsync(2)).
 */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { DiskError } from '../../src/store/disk.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Store } from '../../src/volume/store.js';
import { SimulatedDisk } from './simulated-disk.js';
import { makeStore, settle, volumeOptions } from './small-store.js';

const BOOT = '1'.repeat(32);
const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };

interface Life {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly files: FileSystem;
}

async function begin(): Promise<Life> {
  const disk = new SimulatedDisk();
  await makeStore(disk);
  const store = await settle(
    disk,
    Store.open(
      disk,
      volumeOptions(BOOT, () => 2e12),
    ),
  );
  return { disk, store, files: new FileSystem(store.main, { atime: 'noatime' }) };
}

function make({ files }: Life, name: string, bytes: number): Ino {
  const out = new Attributes();
  files.makeNode(ROOT_INO, Buffer.from(name), 0o100644, 0, CALLER, out);
  if (bytes > 0) files.write(out.ino, 0, bytes, new Uint8Array(bytes).fill(1), 0, false, CALLER);
  return out.ino;
}

/** The first sync of a file whose path matches fails, those after it do not. */
function failOnce({ disk }: Life, path: RegExp): void {
  let isOver = false;
  disk.observe = (operation) => {
    if (isOver || operation.kind !== 'sync' || !path.test(operation.path)) return;
    isOver = true;
    throw new DiskError('EIO', 'fdatasync', operation.path);
  };
}

for (const failing of [/^wal\//, /^blobs\//]) {
  t.test(`a commit that waits for one whose sync of ${failing} fails is refused too`, async (t) => {
    const life = await begin();
    const [first, second] = ['first', 'second'].map((name) => make(life, name, 40_000));
    failOnce(life, failing);
    const one = life.files.sync(first);
    await Promise.resolve();
    const other = life.files.sync(second);
    await t.rejects(settle(life.disk, one), /EIO/);
    await t.rejects(settle(life.disk, other), /EIO/);
    t.match(life.store.readOnlyReason, /EIO/);
    await life.store.close();
  });
}

for (const end of ['close', 'suspend'] as const) {
  t.test(`after a checkpoint that failed, ${end} does not take another one`, async (t) => {
    const life = await begin();
    make(life, 'file', 100);
    failOnce(life, /^nodes/);
    const before = life.disk.afterProcessDeath();
    const checkpoint = life.store.checkpoint();
    const ended = life.store[end]();
    await settle(life.disk, checkpoint);
    await t.rejects(settle(life.disk, ended));
    t.match(life.store.readOnlyReason, /EIO/);
    const superblock = ({ disk }: { disk: SimulatedDisk }): Buffer => {
      const bytes = Buffer.alloc(8192);
      disk.open('superblock', 'read').read(bytes, 0, bytes.length, 0);
      return bytes;
    };
    t.ok(superblock(life).equals(superblock({ disk: before })), 'the checkpoint in force is untouched');
  });
}
