/**
 * A disk that fails under a serving volume: a sync that reports EIO, no space at any moment, bits that flip at rest.
 */
import t from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { FALLOC_FL_ZERO_RANGE } from '../../src/filesystem/operations.js';
import { DiskError } from '../../src/store/disk.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { asIno, ROOT_INO } from '../../src/store/units.js';
import { KEY_WORDS } from '../../src/tree/key.js';
import { branchSlot, countOf, levelOf } from '../../src/tree/page.js';
import { openStore } from '../../src/volume/open-store.js';
import { Store } from '../../src/volume/store.js';
import type { Volume } from '../../src/volume/volume.js';
import { newStore } from './campaign.js';
import { checkRecovered } from './checker.js';
import type { Step } from './model.js';
import { Session } from './session.js';
import { type DiskOperation, SimulatedDisk } from './simulated-disk.js';
import { makeStore, settle, volumeOptions } from './small-store.js';
import { structuralProblem } from './structure.js';

t.setTimeout(200_000);

const BOOT = '1'.repeat(32);
const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const STEPS: readonly Step[] = [
  { op: 'create', path: 'a' },
  { op: 'write', path: 'a', at: 0, length: 500 },
  { op: 'fsync', path: 'a' },
  { op: 'mkdir', path: 'd' },
  { op: 'create', path: 'd/b' },
  { op: 'write', path: 'd/b', at: 0, length: 40_000 },
  { op: 'fsync', path: 'd/b' },
  { op: 'write', path: 'a', at: 0, length: 40_000 },
  { op: 'setxattr', path: 'a', length: 300 },
  { op: 'checkpoint' },
  { op: 'truncate', path: 'd/b', size: 35_000 },
  { op: 'commit' },
  { op: 'truncate', path: 'd/b', size: 60_000 },
  { op: 'rename', path: 'd/b', to: 'c' },
  { op: 'unlink', path: 'a' },
  { op: 'forget' },
  { op: 'checkpoint' },
  { op: 'commit' },
];

/** Lets the n-th operation for which `matches` holds fail. Returns a count of those that there were. */
function failAt(
  disk: SimulatedDisk,
  n: number,
  code: string,
  matches: (operation: DiskOperation) => boolean,
): () => number {
  let count = 0;
  disk.observe = (operation) => {
    if (!matches(operation)) return;
    if (count++ === n)
      throw new DiskError(code, operation.kind === 'sync' ? 'fdatasync' : operation.kind, operation.path);
  };
  return () => count;
}

t.test(
  'a sync that fails makes the volume read-only, and nothing is acknowledged any more',
  { timeout: 100_000 },
  async (t) => {
    const store = await newStore();
    let failures = 0;
    for (let n = 0; ; n++) {
      const session = await Session.open(store.afterProcessDeath(), { bootId: BOOT });
      const count = failAt(session.disk, n, 'EIO', ({ kind }) => kind === 'sync');
      let refused = false;
      let durableAtFailure = -1;
      for (const step of STEPS) {
        try {
          await session.run(step);
        } catch {
          refused = true;
        }
        if (count() > n && durableAtFailure < 0) durableAtFailure = session.promises().durable;
        if (refused) break;
      }
      if (count() <= n) {
        await session.abandon();
        break;
      }
      failures++;
      const { volume } = session;
      t.match(session.store.status().readOnlyReason, /EIO/, `sync ${n}: the reason`);
      const later = { durable: session.promises().durable };
      await t.rejects(session.run({ op: 'mkdir', path: `later ${n}` }), `sync ${n}: no change`);
      await t.rejects(volume.commit('all'), `sync ${n}: no acknowledgement`);
      t.equal(session.promises().durable, later.durable);
      const promises = session.promises();
      const left = session.disk.afterProcessDeath();
      await session.abandon();
      const recovered = await Session.open(left, { bootId: BOOT });
      t.equal(structuralProblem(recovered.store, left), undefined, `sync ${n}: recovery leaves it whole`);
      checkRecovered(recovered.present, session, { ...promises, returned: promises.durable }, 'power loss');
      await recovered.abandon();
    }
    t.comment(`${failures} failed syncs`);
    t.ok(failures > 10);
  },
);

t.test('a log record that cannot be written makes the volume read-only, and all before it is kept', async (t) => {
  const store = await newStore();
  let failures = 0;
  for (let n = 0; ; n++) {
    const session = await Session.open(store.afterProcessDeath(), { bootId: BOOT });
    const isLogWrite = ({ kind, path }: DiskOperation): boolean =>
      path.startsWith('wal/') && (kind === 'write' || kind === 'writing');
    const count = failAt(session.disk, n, 'EIO', isLogWrite);
    for (const step of STEPS) {
      try {
        await session.run(step);
      } catch {
        break;
      }
    }
    const isOver = count() <= n;
    if (!isOver) {
      failures++;
      t.match(session.store.status().readOnlyReason, /EIO/, `write ${n}: the reason`);
      await t.rejects(session.run({ op: 'mkdir', path: `later ${n}` }), `write ${n}: no change`);
      const promises = session.promises();
      const left = session.disk.afterProcessDeath();
      await session.abandon();
      const recovered = await Session.open(left, { bootId: BOOT });
      t.equal(structuralProblem(recovered.store, left), undefined, `write ${n}: recovery leaves it whole`);
      checkRecovered(recovered.present, session, promises, 'process death');
      await recovered.abandon();
    } else {
      await session.abandon();
      break;
    }
  }
  t.comment(`${failures} failed writes`);
  t.ok(failures > 10);
});

t.test('no space, at any moment, leaves a volume that goes on once there is space', { timeout: 100_000 }, async (t) => {
  const store = await newStore();
  let failures = 0;
  for (let n = 0; ; n++) {
    const session = await Session.open(store.afterProcessDeath(), { bootId: BOOT });
    const isAllocation = ({ kind }: DiskOperation): boolean =>
      kind === 'allocate' || kind === 'create' || kind === 'write' || kind === 'writing';
    // Allocated beforehand.
    const isOverwrite = ({ path }: DiskOperation): boolean => /^(superblock|refs\..)$/.test(path);
    const count = failAt(session.disk, n, 'ENOSPC', (operation) => isAllocation(operation) && !isOverwrite(operation));
    for (const step of STEPS) {
      try {
        await session.run(step);
      } catch (error) {
        if (!(error instanceof DiskError && error.code === 'ENOSPC')) {
          // A step whose file was not made for lack of space finds none.
          if (failures === 0 && count() <= n) throw error;
        }
        session.takeBack();
      }
    }
    const isOver = count() <= n;
    session.disk.observe = () => undefined;
    if (!isOver) failures++;
    if (session.volume.readOnlyReason === '') {
      await session.run({ op: 'create', path: 'afterwards' });
      await session.run({ op: 'write', path: 'afterwards', at: 0, length: 50_000 });
      await session.run({ op: 'fsync', path: 'afterwards' });
      await session.compare();
      await session.close();
    }
    t.equal(session.volume.readOnlyReason, '', `allocation ${n}: still writable`);
    const left = session.disk.afterProcessDeath();
    await session.abandon();
    const reopened = await Session.open(left, { bootId: BOOT });
    t.equal(structuralProblem(reopened.store, left), undefined, `allocation ${n}: whole`);
    t.equal(reopened.present.skeleton, session.present.skeleton, `allocation ${n}: what had returned is there`);
    await reopened.abandon();
    if (isOver) break;
  }
  t.comment(`${failures} failed allocations`);
  t.ok(failures > 5);
});

/** A clean store with two small files, a large one, and a directory. */
async function storeAtRest(): Promise<SimulatedDisk> {
  const session = await Session.open(await newStore(), { bootId: BOOT });
  for (const path of ['first', 'second', 'large']) await session.run({ op: 'create', path });
  await session.run({ op: 'write', path: 'first', at: 0, length: 600 });
  await session.run({ op: 'write', path: 'second', at: 0, length: 600 });
  await session.run({ op: 'write', path: 'large', at: 0, length: 50_000 });
  await session.close();
  const disk = session.disk.afterProcessDeath();
  await session.abandon();
  return disk;
}

/** Opens a store without reading all of it. */
async function serve(disk: SimulatedDisk): Promise<{ store: Store; volume: Volume; filesystem: FileSystem }> {
  const store = await settle(
    disk,
    Store.open(
      disk,
      volumeOptions(BOOT, () => 2e12),
    ),
  );
  const volume = store.main;
  return { store, volume, filesystem: new FileSystem(volume, { atime: 'noatime' }) };
}

const contentOf = (filesystem: FileSystem, name: string): Buffer => {
  const attributes = new Attributes();
  filesystem.lookup(ROOT_INO, Buffer.from(name), attributes);
  const content = Buffer.alloc(attributes.size);
  filesystem.read(attributes.ino, 0, content.length, content, 0);
  return content;
};

const flipBitOf = (bytes: Buffer, text: string): void => {
  const at = bytes.indexOf(text);
  bytes[at + 2] ^= 1;
};

t.test('a damaged small file is an error for itself alone', async (t) => {
  const disk = await storeAtRest();
  const { filesystem: undamaged } = await serve(disk.afterProcessDeath());
  const [first, second] = ['first', 'second'].map((name) => contentOf(undamaged, name));
  disk.damage('packs/0', (bytes) => flipBitOf(bytes, first.toString('latin1', 0, 16)));
  const { store, volume, filesystem } = await serve(disk);
  t.throws(() => contentOf(filesystem, 'first'), CorruptionError);
  t.ok(contentOf(filesystem, 'second').equals(second), 'the other file is served');
  t.equal(volume.readOnlyReason, '', 'and the volume stays writable');
  await settle(disk, store.close());
});

t.test(
  'a change of a damaged small file is refused before it is logged, and emptying or removing it is not',
  async (t) => {
    const disk = await storeAtRest();
    const { filesystem: undamaged } = await serve(disk.afterProcessDeath());
    const start = contentOf(undamaged, 'first').toString('latin1', 0, 16);
    disk.damage('packs/0', (bytes) => flipBitOf(bytes, start));
    const { store, volume, filesystem } = await serve(disk);
    const out = new Attributes();
    filesystem.lookup(ROOT_INO, Buffer.from('first'), out);
    const { ino } = out;
    t.throws(() => filesystem.write(ino, 500, 4, Buffer.from('data'), 0, false, CALLER), CorruptionError);
    t.throws(() => filesystem.setAttributes(ino, { size: 100 }, CALLER, out), CorruptionError);
    t.throws(() => filesystem.allocate(ino, FALLOC_FL_ZERO_RANGE, 0, 10, CALLER), CorruptionError);
    t.equal(volume.readOnlyReason, '', 'the volume stays writable');
    filesystem.makeNode(ROOT_INO, Buffer.from('later'), 0o100644, 0, CALLER, out);
    filesystem.setAttributes(ino, { size: 0 }, CALLER, out);
    filesystem.write(ino, 0, 4, Buffer.from('data'), 0, false, CALLER);
    await settle(disk, store.commit('all'));
    const left = disk.afterProcessDeath();
    disk.kill();
    const { store: recovered, filesystem: files } = await serve(left);
    t.equal(contentOf(files, 'first').toString(), 'data');
    t.equal(contentOf(files, 'later').length, 0, 'the log was replayed');
    files.unlink(ROOT_INO, Buffer.from('first'), CALLER);
    await settle(left, recovered.close());
  },
);

t.test('a damaged name is an error where it is looked at, and other directories are served', async (t) => {
  const session = await Session.open(await newStore(), { bootId: BOOT });
  for (const path of ['d', 'e']) await session.run({ op: 'mkdir', path });
  await session.run({ op: 'create', path: 'd/damaged name' });
  await session.run({ op: 'create', path: 'e/whole name' });
  await session.close();
  const { disk } = session;
  disk.damage('strings.dat', (bytes) => flipBitOf(bytes, 'damaged name'));
  const { store, volume, filesystem } = await serve(disk);
  const list = (directory: string): string[] => {
    const attributes = new Attributes();
    filesystem.lookup(ROOT_INO, Buffer.from(directory), attributes);
    const names: string[] = [];
    filesystem.readDirectory(attributes.ino, 2, (name) => names.push(Buffer.from(name).toString()) > 0);
    return names;
  };
  t.throws(() => list('d'), CorruptionError);
  t.strictSame(list('e'), ['whole name']);
  t.equal(volume.readOnlyReason, '');
  await settle(disk, store.close());
});

t.test('a damaged page is an error for what is on it, and the rest is served', async (t) => {
  const session = await Session.open(await newStore(), { bootId: BOOT });
  // Enough inodes for several leaves.
  for (let number = 0; number < 100; number++) await session.run({ op: 'create', path: `file ${number}` });
  const { tree, pages } = session.volume.state;
  const words = pages.words(tree.root);
  t.ok(levelOf(words, pages.base(tree.root)) > 0, 'a tree of two levels');
  await session.close();
  const { root } = tree;
  const lastLeaf = words[branchSlot(pages.base(root), countOf(words, pages.base(root)) - 1) + KEY_WORDS];
  const { disk } = session;
  disk.damage('nodes.dat', (bytes) => {
    bytes[lastLeaf * PAGE_SIZE + 2000] ^= 4;
  });
  const { store, volume, filesystem } = await serve(disk);
  const attributes = new Attributes();
  const [firstIno, lastIno] = [asIno(2), asIno(101)];
  filesystem.getAttributes(firstIno, attributes);
  t.equal(attributes.nlink, 1, 'an inode on another page');
  t.throws(() => filesystem.getAttributes(lastIno, attributes), CorruptionError);
  t.equal(volume.readOnlyReason, '');
  disk.kill();
  await store.close().catch(() => undefined);
});

t.test(
  'a change that met damage after it was logged is given up by the next mount, which has all before it',
  async (t) => {
    const disk = new SimulatedDisk();
    await makeStore(disk);
    const { store, volume, filesystem } = await serve(disk);
    const out = new Attributes();
    filesystem.makeNode(ROOT_INO, Buffer.from('damaged'), 0o100644, 0, CALLER, out);
    const { ino } = out;
    filesystem.write(ino, 0, 600, Buffer.alloc(600, 'damaged'), 0, false, CALLER);
    await settle(disk, store.checkpoint());
    filesystem.makeNode(ROOT_INO, Buffer.from('later'), 0o100644, 0, CALLER, out);
    await settle(disk, store.commit('all'));
    disk.damage('packs/0', (bytes) => flipBitOf(bytes, 'damageddamaged'));
    const time = { seconds: 1, nanoseconds: 0 };
    const change = { type: 'writeSmall', ino, position: 1, data: Buffer.from('x'), mode: 0o100644, time } as const;
    t.throws(() => volume.perform(change, 0), CorruptionError);
    t.not(volume.readOnlyReason, '');
    const left = disk.afterProcessDeath();
    disk.kill();
    const options = volumeOptions(BOOT, () => 2e12);
    await t.rejects(
      settle(left, openStore(left, { ...options, resume: true })),
      CorruptionError,
      'not under the same mount',
    );
    const recovered = await settle(left, openStore(left, options));
    t.match(recovered.recovery.givenUp, /checksum/);
    const files = new FileSystem(recovered.main, { atime: 'noatime' });
    t.equal(contentOf(files, 'later').length, 0, 'what was synced before is there');
    t.throws(() => contentOf(files, 'damaged'), CorruptionError);
    files.unlink(ROOT_INO, Buffer.from('damaged'), CALLER);
    await settle(left, recovered.close());
    const last = await settle(left, openStore(left, options));
    t.equal(structuralProblem(last, left), undefined);
    t.same([last.recovery.clean, last.recovery.givenUp], [true, undefined]);
    await settle(left, last.close());
  },
);
