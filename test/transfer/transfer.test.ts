/** Sending snapshots to another store: what arrives is what was sent, and nothing changes unless all of it arrives. */
import t, { type Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, RENAME_EXCHANGE } from '../../src/filesystem/operations.js';
import { RECORD_HEADER_BYTES, RECORD_TYPES, type RecordType } from '../../src/transfer/format.js';
import { guidOf } from '../../src/transfer/identity.js';
import { decodeToken, encodeToken, type Token } from '../../src/transfer/partial.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { Datasets } from '../../src/volume/datasets.js';
import { structuralProblem } from '../crash/structure.js';
import { Random } from '../random.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from '../volume/served-volume.js';
import { pattern, TreeByPath } from '../volume/tree-by-path.js';
import { manifestOf } from './manifest.js';
import { forged, received, recordStarts, sent, tokenIn } from './streams.js';

const LARGE = 700_000;

/** What a store shows of its volumes and snapshots, and that it is whole. */
async function stateOf(test: Test, served: ServedVolume): Promise<string[]> {
  const datasets = new Datasets(served.store);
  while (served.store.hasDying) await new Promise(setImmediate);
  test.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole');
  const lines: string[] = [];
  for (const dataset of served.store.state.catalog.all) {
    lines.push(datasets.nameOf(dataset), ...(await manifestOf(served.store, dataset)));
  }
  return lines;
}

/** Files of all types. */
function fill(tree: TreeByPath): void {
  const { filesystem } = tree;
  const out = new Attributes();
  for (const path of ['a', 'a/b', 'a/b/c', 'gone']) tree.directory(path);
  for (let i = 0; i < 30; i++) tree.file(`a/file ${i}`, pattern(i, i * 50));
  for (let i = 0; i < 5; i++) tree.file(`gone/${i}`, pattern(i, 50));
  tree.file('large', pattern(5, LARGE));
  tree.file('sparse', pattern(5, 100));
  tree.set('sparse', { size: 30_000_000 });
  tree.write('sparse', 20_000_000, pattern(9, 100_000));
  tree.link('large', 'a/other name');
  tree.symlink('symlink', 'somewhere');
  filesystem.makeNode(1 as never, Buffer.from('fifo'), 0o010644, 0, CALLER, out);
  filesystem.makeNode(1 as never, Buffer.from('device'), 0o020600, 0x103, CALLER, out);
  filesystem.makeNode(1 as never, Buffer.from([0x62, 0xff]), 0o100644, 0, CALLER, out);
  filesystem.setExtendedAttribute(tree.ino('a'), Buffer.from('user.one'), pattern(1, 300), 0, false, CALLER);
  filesystem.setExtendedAttribute(tree.ino('large'), Buffer.from('user.two'), pattern(1, 3), 0, false, CALLER);
  tree.set('a/b', { mode: 0o1777, uid: 7, gid: 8, mtime: { seconds: -5, nanoseconds: 6 } });
  tree.set('a/file 3', { atime: { seconds: 1, nanoseconds: 2 }, ctime: { seconds: 3, nanoseconds: 4 } });
}

/** Changes of all kinds. */
function change(tree: TreeByPath): void {
  const { filesystem } = tree;
  tree.rename('a/file 1', 'a/file 2');
  tree.rename('a/file 3', 'a/file 4', RENAME_EXCHANGE);
  tree.rename('a/b', 'b');
  tree.rename('a', 'b/c/a');
  tree.directory('a');
  tree.file('a/file 5', pattern(50, 50));
  tree.directory('a/new');
  tree.rename('b/c/a/file 6', 'a/new/file 6');
  tree.link('b/c/a/file 7', 'a/new/file 7');
  tree.remove('b/c/a/other name');
  tree.link('symlink', 'another symlink');
  for (let i = 0; i < 5; i++) tree.remove(`gone/${i}`);
  tree.removeDirectory('gone');
  tree.write('large', 100_000, pattern(7, 70_000));
  filesystem.allocate(tree.ino('large'), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 300_000, 200_000, CALLER);
  tree.write('sparse', 29_000_000, pattern(9, 100));
  tree.set('sparse', { size: 29_500_000 });
  filesystem.removeExtendedAttribute(tree.ino('large'), Buffer.from('user.two'), CALLER);
  filesystem.setExtendedAttribute(tree.ino('b/c/a'), Buffer.from('user.one'), pattern(2, 300), 0, false, CALLER);
  tree.set('b/c/a/file 8', { mode: 0o4711, size: 10 });
}

async function twoSnapshots(test: Test): Promise<{ tree: TreeByPath; one: Dataset; two: Dataset }> {
  const tree = await TreeByPath.make(test);
  fill(tree);
  const one = await tree.datasets.createSnapshot('main', 'one', { note: 'first', holds: ['here'] });
  change(tree);
  return { tree, one, two: await tree.snapshot() };
}

t.test('what arrives is what was sent', async (test) => {
  const { tree, one, two } = await twoSnapshots(test);
  const from = tree.served.store;
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  const datasets = new Datasets(target.store);
  test.strictSame(await received(target.store, await sent(from, one), { volume: 'copy' }), {
    name: 'copy@one',
    records: recordStarts(await sent(from, one)).length - 2,
  });
  const copyOfOne = datasets.snapshot('copy', 'one');
  test.strictSame(await manifestOf(target.store, copyOfOne), await manifestOf(from, one), 'the whole snapshot');
  test.strictSame(await manifestOf(target.store, datasets.volume('copy')), await manifestOf(from, one), 'its volume');
  test.equal(copyOfOne.createdMs, one.createdMs);
  test.strictSame(copyOfOne.properties, { note: 'first', guid: guidOf(from, one) });

  const stream = await sent(from, two, one);
  test.ok(stream.length < 300_000, `${stream.length} bytes for what has changed`);
  test.equal((await received(target.store, stream)).name, `copy@${two.name}`);
  const copyOfTwo = datasets.snapshot('copy', two.name);
  test.strictSame(await manifestOf(target.store, copyOfTwo), await manifestOf(from, two), 'what has changed');
  test.strictSame(await manifestOf(target.store, copyOfOne), await manifestOf(from, one), 'the earlier one has not');
  await stateOf(test, target);

  test.strictSame(stream, await sent(from, two, one), 'the same stream each time');
  const third = await ServedVolume.make(test, SMALL_GEOMETRY);
  await received(third.store, await sent(target.store, copyOfOne));
  await received(third.store, await sent(target.store, copyOfTwo, copyOfOne));
  const relayed = new Datasets(third.store).snapshot('copy', two.name);
  test.strictSame(await manifestOf(third.store, relayed), await manifestOf(from, two), 'sent on from the copy');
  await received(third.store, await sent(from, one, two), { volume: 'copy', force: true }).then(
    () => test.fail('there is a snapshot of that name'),
    (error) => test.equal(error.code, 'exists'),
  );
  await target.reopen();
  await stateOf(test, target);
  await Promise.all([tree.served.store.close(), target.store.close(), third.store.close()]);
});

t.test('a stream that is damaged or cut off leaves all as it was', async (test) => {
  const random = Random.announced(test);
  const { tree, one, two } = await twoSnapshots(test);
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  const [whole, changes] = [await sent(tree.served.store, one), await sent(tree.served.store, two, one)];
  await received(target.store, whole, { volume: 'copy' });
  const before = await stateOf(test, target);
  const starts = recordStarts(changes);
  const cuts = [0, 5, 12, 20, changes.length - 1, random.below(changes.length)];
  for (let i = 0; i < 25; i++) cuts.push(starts[random.below(starts.length)]!);
  for (const at of cuts) {
    await test.rejects(received(target.store, changes.subarray(0, at)), { code: 'bad-stream' }, `cut at ${at}`);
  }
  for (let i = 0; i < 15; i++) {
    const damaged = Buffer.from(changes);
    damaged[random.below(damaged.length)]! ^= 1 << random.below(8);
    await test.rejects(received(target.store, damaged), { code: 'bad-stream' }, 'one bit is wrong');
  }
  await test.rejects(received(target.store, Buffer.concat([changes, Buffer.alloc(1)])), { code: 'bad-stream' });
  await test.rejects(received(target.store, whole.subarray(0, -1), { volume: 'other' }), { code: 'bad-stream' });
  test.strictSame(await stateOf(test, target), before);
  await Promise.all([tree.served.store.close(), target.store.close()]);
});

t.test('what does not fit is refused before anything is changed', async (test) => {
  const { tree, one, two } = await twoSnapshots(test);
  const from = tree.served.store;
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  const datasets = new Datasets(target.store);
  const changes = await sent(from, two, one);
  await test.rejects(received(target.store, changes), { code: 'wrong-base' }, 'the base is not there');
  await test.rejects(received(target.store, await sent(from, one)), { code: 'exists' }, 'main is there');
  await received(target.store, await sent(from, one), { volume: 'copy' });
  await test.rejects(received(target.store, changes, { volume: 'main' }), { code: 'wrong-base' });
  await test.rejects(received(target.store, await sent(from, one), { volume: 'copy' }), { code: 'exists' });
  const copy = target.store.volume('copy')!;
  const out = new Attributes();
  const { FileSystem } = await import('../../src/filesystem/filesystem.js');
  new FileSystem(copy, { atime: 'noatime' }).makeDirectory(1 as never, Buffer.from('mine'), 0o755, CALLER, out);
  await test.rejects(received(target.store, changes), { code: 'changed', message: /"mine"/ });
  test.ok(copy.state.entries.find(1, Buffer.from('mine')) >= 0, 'it is still there');
  await received(target.store, changes, { force: true });
  test.notOk(copy.state.entries.find(1, Buffer.from('mine')) >= 0, 'given up');
  test.strictSame(await manifestOf(target.store, datasets.volume('copy')), await manifestOf(from, two));
  await stateOf(test, target);
  await Promise.all([tree.served.store.close(), target.store.close()]);
});

t.test('what is done to the volume while a stream comes is not given up', async (test) => {
  const { tree, one, two } = await twoSnapshots(test);
  const from = tree.served.store;
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  const { store } = target;
  const datasets = new Datasets(store);
  await received(store, await sent(from, one), { volume: 'copy' });
  const copy = store.volume('copy')!;
  const { FileSystem } = await import('../../src/filesystem/filesystem.js');
  const filesystem = new FileSystem(copy, { atime: 'noatime' });
  const [name, changes] = [Buffer.from('mine'), await sent(from, two, one)];
  const make = (): void => filesystem.makeDirectory(1 as never, name, 0o755, CALLER, new Attributes());
  await test.rejects(received(store, changes, {}, make), { code: 'changed', message: /"mine"/ });
  test.ok(copy.state.entries.find(1, name) >= 0, 'it is still there');
  filesystem.removeDirectory(1 as never, name, CALLER);
  await received(store, changes, { force: true }, make);
  test.notOk(copy.state.entries.find(1, name) >= 0, 'unless that is asked for');

  await received(store, await sent(from, one), { volume: 'other' });
  const destroy = async (): Promise<void> => {
    await datasets.destroy(datasets.snapshot('other', 'one'));
    await datasets.destroy(datasets.volume('other'));
  };
  const code = 'no-such-volume';
  await test.rejects(received(store, changes, { volume: 'other', force: true }, destroy), { code });
  await received(store, await sent(from, one), { volume: 'other' });
  await test.rejects(received(store, changes, { volume: 'other' }, destroy), { code });
  test.equal(store.readOnlyReason, '');
  await stateOf(test, target);
  await Promise.all([from.close(), store.close()]);
});

t.test('a stream that broke is gone on with', async (test) => {
  const random = Random.announced(test);
  const { tree, one, two } = await twoSnapshots(test);
  const from = tree.served.store;
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  for (const [snapshot, base] of [
    [one, undefined],
    [two, one],
  ] as const) {
    let stream = await sent(from, snapshot, base);
    for (let round = 0; round < 5; round++) {
      const starts = recordStarts(stream);
      const at = starts[2 + random.below(starts.length - 3)]! + random.below(30);
      const broken = received(target.store, stream.subarray(0, at), { isResumable: true, volume: 'copy' });
      await test.rejects(broken, { code: 'bad-stream' });
      const token = tokenIn(target.store);
      if (token === undefined) continue;
      if (round === 2) {
        await target.reopen();
        test.equal(tokenIn(target.store), token, 'kept over a restart');
      }
      stream = await sent(from, snapshot, base, token);
    }
    test.ok(tokenIn(target.store) !== undefined);
    await received(target.store, stream, { isResumable: true, volume: 'copy' });
    test.equal(tokenIn(target.store), undefined, 'nothing is left');
    const copy = new Datasets(target.store).snapshot('copy', snapshot.name);
    test.strictSame(await manifestOf(target.store, copy), await manifestOf(from, snapshot));
    await stateOf(test, target);
  }
  await Promise.all([tree.served.store.close(), target.store.close()]);
});

t.test('nothing that a stream says is believed', async (test) => {
  const random = Random.announced(test);
  const { tree, one, two } = await twoSnapshots(test);
  const target = await ServedVolume.make(test, SMALL_GEOMETRY);
  await received(target.store, await sent(tree.served.store, one), { volume: 'copy' });
  const before = await stateOf(test, target);
  const stream = await sent(tree.served.store, two, one);
  const starts = recordStarts(stream).slice(1, -1);
  const types = Object.keys(RECORD_TYPES) as RecordType[];
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    const start = random.pick(starts);
    const length = stream.readUInt32LE(start);
    const payload = Buffer.from(stream.subarray(start + RECORD_HEADER_BYTES, start + RECORD_HEADER_BYTES + length));
    const type = types.find((name) => RECORD_TYPES[name] === stream.readUInt32LE(start + 4))!;
    for (let count = 1 + random.below(3); count > 0 && payload.length > 0; count--) {
      payload[random.below(Math.min(payload.length, 64))] = random.below(256);
    }
    const isOther = random.below(4) === 0;
    try {
      await received(target.store, forged(stream, start, isOther ? random.pick(types) : type, payload));
      const taken = new Datasets(target.store).snapshot('copy', two.name);
      const base = new Datasets(target.store).snapshot('copy', 'one');
      await new Datasets(target.store).rollBack('copy', base, { keepAs: undefined });
      await new Datasets(target.store).destroy(taken);
    } catch (error) {
      test.equal((error as { code?: string }).code, 'bad-stream', String(error));
      refused++;
    }
  }
  test.ok(refused > 0);
  test.strictSame(await stateOf(test, target), before, 'nothing else has changed');
  await Promise.all([tree.served.store.close(), target.store.close()]);
});

t.test('what is no token is refused', async (test) => {
  const token = { snapshot: { name: 'one', guid: 'a'.repeat(32) }, base: null, count: 3, outline: 5 };
  test.strictSame(decodeToken(encodeToken(token)), token);
  const others = [null, {}, 7, { ...token, count: -1 }, { ...token, base: 'two' }, { ...token, snapshot: undefined }];
  for (const other of others) {
    test.throws(() => decodeToken(encodeToken(other as Token)), { code: 'bad-stream' }, JSON.stringify(other));
  }
  for (const text of ['', '.', 'x', encodeToken(token).slice(1)]) {
    test.throws(() => decodeToken(text), { code: 'bad-stream' }, text);
  }
});
