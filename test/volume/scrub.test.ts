/** Scrubs of a store with snapshots and clones: all of it is read, what trees share once, and damage is found wherever it is. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { blobPath } from '../../src/blobs/blob-store.js';
import { asBlobId, type PageNumber } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { KIND_PART, readU64 } from '../../src/volume/items.js';
import { Scrub, type ScrubStatus } from '../../src/volume/scrub.js';
import type { Store } from '../../src/volume/store.js';
import { datasetsOf, flip, itemsOf, leavesOf, pagePlace } from '../check/damage.js';
import { makeStoreWithSnapshots } from '../check/snapshots-fixture.js';
import { copyStore, openStore } from '../check/store-fixture.js';

const store = await makeStoreWithSnapshots(t);

async function scrub(opened: Store): Promise<ScrubStatus> {
  const running = new Scrub(opened.state, Number.POSITIVE_INFINITY);
  await running.ended;
  return running.status();
}

/** Scrubs a store, whose damage the last checkpoint must not meet. */
async function scrubStore(t: Test, directory: string): Promise<ScrubStatus> {
  const opened = await openStore(directory);
  t.teardown(() => opened.close().catch(() => undefined));
  return scrub(opened);
}

const rootOf = (directory: string, name: string): PageNumber =>
  datasetsOf(directory).find((dataset) => dataset.name === name)!.root;

t.test('a sound store', async (t) => {
  t.match(await scrubStore(t, copyStore(t, store)), { state: 'done', progress: 1, problems: 0, findings: [] });
});

t.test('what more snapshots share costs nothing', async (t) => {
  const opened = await openStore(copyStore(t, store));
  t.teardown(() => opened.close());
  const before = await scrub(opened);
  for (let i = 0; i < 20; i++) await new Datasets(opened).createSnapshot('main', `more-${i}`);
  const after = await scrub(opened);
  t.equal(after.problems, 0);
  t.ok(after.bytes < before.bytes * 1.1, `${after.bytes} bytes with 20 snapshots more, ${before.bytes} before`);
});

t.test('a leaf of a snapshot', async (t) => {
  const directory = copyStore(t, store);
  const others = new Set(
    datasetsOf(directory).flatMap(({ name, root }) => (name === 'first' ? [] : leavesOf(directory, root))),
  );
  const page = leavesOf(directory, rootOf(directory, 'first')).find((leaf) => !others.has(leaf))!;
  const { file, position } = pagePlace(page);
  flip(join(directory, file), position + 700);
  const { state, findings } = await scrubStore(t, directory);
  t.equal(state, 'done');
  t.match(findings, [{ where: `page ${page}`, problem: 'checksum does not match' }]);
});

t.test('a blob that files have parts in', async (t) => {
  const directory = copyStore(t, store);
  const blob = readU64(itemsOf(directory, KIND_PART, 1)[0].value, 0);
  rmSync(join(directory, blobPath(asBlobId(blob))));
  const { findings } = await scrubStore(t, directory);
  t.ok(
    findings.some(({ where }) => where === `blob ${blob}`),
    JSON.stringify(findings),
  );
});

t.test('the name of a snapshot', async (t) => {
  const directory = copyStore(t, store);
  const opened = await openStore(directory);
  t.teardown(() => opened.close().catch(() => undefined));
  const { nameAddress } = datasetsOf(directory).find(({ name }) => name === 'second')!;
  flip(join(directory, 'strings.dat'), nameAddress + 33);
  const { findings } = await scrub(opened);
  t.match(findings, [{ where: `catalog: string at ${nameAddress}`, problem: 'checksum does not match', ino: 0 }]);
});
