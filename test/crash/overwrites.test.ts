/**
 * Overwriting the data of a large file, as the kernel's writeback cache does: such writes are not all logged. Whoever goes on with the
 * store after the process has died must sync what they wrote all the same.
 */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import type { Durability } from '../../src/volume/options.js';
import { Store } from '../../src/volume/store.js';
import { LOSE_ALL } from './fates.js';
import { SimulatedDisk } from './simulated-disk.js';
import { EPOCH_SECONDS, makeStore, settle, volumeOptions } from './small-store.js';

const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const BYTES = 100_000;
const [FIRST_BOOT, SECOND_BOOT] = ['a'.repeat(32), 'b'.repeat(32)];

interface Life {
  readonly disk: SimulatedDisk;
  readonly store: Store;
  readonly files: FileSystem;
}

async function open(disk: SimulatedDisk, bootId: string, durability: Durability = 'interval'): Promise<Life> {
  const now = (): number => EPOCH_SECONDS * 1000;
  const store = await settle(disk, Store.open(disk, volumeOptions(bootId, now, durability)));
  return { disk, store, files: new FileSystem(store.main, { atime: 'noatime' }) };
}

/** Writes a whole chunk of the file, whose times the caller keeps. */
function overwrite({ files }: Life, ino: Ino, at: number, value: number): void {
  files.write(ino, at, 4096, new Uint8Array(4096).fill(value), 0, false, CALLER, true);
}

async function valueAt({ files }: Life, ino: Ino, at: number): Promise<number> {
  const into = new Uint8Array(1);
  await files.read(ino, at, 1, into, 0);
  return into[0]!;
}

/** A store with one large file, which is durable. */
async function begin(durability?: Durability): Promise<{ life: Life; ino: Ino }> {
  const disk = new SimulatedDisk();
  await makeStore(disk);
  const life = await open(disk, FIRST_BOOT, durability);
  const out = new Attributes();
  life.files.makeNode(ROOT_INO, Buffer.from('large'), 0o100644, 0, CALLER, out);
  life.files.write(out.ino, 0, BYTES, new Uint8Array(BYTES), 0, false, CALLER);
  await settle(disk, life.files.sync(out.ino));
  return { life, ino: out.ino };
}

for (const between of ['nothing', 'a sync', 'a checkpoint', 'a sync that is under way'] as const) {
  t.test(`a successor syncs what was overwritten, with ${between} in between`, async (t) => {
    const { life, ino } = await begin();
    overwrite(life, ino, 0, 1);
    overwrite(life, ino, 8192, 2);
    if (between === 'a sync') await settle(life.disk, life.files.sync(ino));
    if (between === 'a checkpoint') await settle(life.disk, life.store.checkpoint());
    const sync = between === 'a sync that is under way' ? life.files.sync(ino) : undefined;
    // A commit begins in a microtask.
    await Promise.resolve();
    overwrite(life, ino, 16_384, 3);
    overwrite(life, ino, 24_576, 4);
    if (sync !== undefined) await settle(life.disk, sync);

    const successor = await open(life.disk.afterProcessDeath(), FIRST_BOOT);
    t.equal(await valueAt(successor, ino, 24_576), 4, 'nothing is lost with the process');
    await settle(successor.disk, successor.files.sync(ino));
    const last = await open(successor.disk.afterPowerLoss(LOSE_ALL), SECOND_BOOT);
    for (const [at, value] of [
      [0, 1],
      [8192, 2],
      [16_384, 3],
      [24_576, 4],
    ] as const)
      t.equal(await valueAt(last, ino, at), value, `byte ${at}`);
    await settle(last.disk, last.store.close());
  });
}

t.test('overwriting again logs nothing, and what changes the file is logged', async (t) => {
  const { life, ino } = await begin();
  const logged = (change: () => void): boolean => {
    const before = life.store.tail;
    change();
    return life.store.tail > before;
  };
  t.ok(
    logged(() => overwrite(life, ino, 0, 1)),
    'the first',
  );
  t.notOk(logged(() => overwrite(life, ino, 8192, 2)));
  t.ok(
    logged(() => overwrite(life, ino, BYTES, 3)),
    'growth',
  );
  t.notOk(logged(() => overwrite(life, ino, BYTES, 4)));
  t.ok(
    logged(() => life.files.write(ino, 0, 1, new Uint8Array(1), 0, false, CALLER)),
    'times',
  );
  await settle(life.disk, life.store.close());
});

t.test('where each change is to be durable, each is logged', async (t) => {
  const { life, ino } = await begin('sync');
  // The second comes before the commit of the first has begun.
  const commits = [1, 2].map((value) => {
    overwrite(life, ino, 0, value);
    return life.files.pendingCommit();
  });
  t.notOk(commits.includes(undefined));
  await settle(life.disk, Promise.all(commits));
  const last = await open(life.disk.afterPowerLoss(LOSE_ALL), SECOND_BOOT);
  t.equal(await valueAt(last, ino, 0), 2);
  await settle(last.disk, last.store.close());
});
