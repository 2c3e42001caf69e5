/** The tree against a sorted map, under random changes, checkpoints, shared roots and reopening. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HostDisk } from '../../src/store/host-disk.js';
import { PageStore } from '../../src/tree/page-store.js';
import { PAGES_PER_CHANGE, Tree } from '../../src/tree/tree.js';
import { Random } from '../random.js';

const SEGMENT_BYTES = 1024 * 1024;

/** Keys in a form that sorts as the tree does. */
const textKey = (object: number, kind: number, minor: number): string =>
  `${object.toString().padStart(16, '0')}/${kind.toString().padStart(3, '0')}/${minor.toString().padStart(16, '0')}`;

class Model {
  readonly items = new Map<string, { key: readonly [number, number, number]; value: number; length: number }>();

  sorted(): string[] {
    return [...this.items.keys()].sort();
  }
}

function checkEqual(test: Test, tree: Tree, model: Model): void {
  const expected = model.sorted();
  const seen: string[] = [];
  let wrongValues = 0;
  for (let found = tree.seek(0, 0, 0); found; found = tree.next()) {
    const key = textKey(tree.object, tree.kind, tree.minor);
    seen.push(key);
    const item = model.items.get(key);
    if (item === undefined || tree.valueLength !== item.length) wrongValues++;
    else if (item.length >= 4 && tree.words[tree.valueWord] !== item.value) wrongValues++;
  }
  test.strictSame(seen, expected, 'the keys in order');
  test.equal(wrongValues, 0, 'their values');
}

function change(tree: Tree, pages: PageStore, model: Model, random: Random, growing: boolean): void {
  pages.reserve(PAGES_PER_CHANGE);
  const object = random.below(50) * (random.below(10) === 0 ? 0x1_0000_0001 : 1);
  const key = [object, 1 + random.below(3), random.below(2000)] as const;
  const text = textKey(...key);
  const exists = model.items.has(text);
  const choice = random.below(10);
  if (!exists && (growing ? choice < 8 : choice < 3)) {
    const length = random.below(4) === 0 ? random.below(513) : random.below(40);
    tree.insert(...key, length);
    const value = random.below(0x1_0000_0000);
    if (length >= 4) tree.words[tree.valueWord] = value;
    model.items.set(text, { key, value, length });
  } else if (exists && choice < 5) {
    tree.modify(...key);
    const value = random.below(0x1_0000_0000);
    const item = model.items.get(text)!;
    if (item.length >= 4) tree.words[tree.valueWord] = value;
    model.items.set(text, { ...item, value });
  } else if (tree.remove(...key) !== exists) {
    throw new Error(`remove of ${text} did not agree with the model`);
  } else {
    model.items.delete(text);
  }
}

t.test('random changes', async (test) => {
  const random = Random.announced(test);
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-tree-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  const disk = new HostDisk(directory);
  let pages = PageStore.create(disk, SEGMENT_BYTES);
  let tree = Tree.create(pages);
  const model = new Model();
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 4000; i++) change(tree, pages, model, random, round < 6);
    checkEqual(test, tree, model);
    const checkpoint = pages.beginCheckpoint();
    const { root } = tree;
    await pages.writeCheckpoint(checkpoint);
    pages.finishCheckpoint(checkpoint);
    if (round % 3 !== 2) continue;
    const { capacity } = pages.file;
    pages.close();
    pages = PageStore.open(disk, SEGMENT_BYTES, capacity, checkpoint.epoch, false);
    tree = new Tree(pages, root);
    checkEqual(test, tree, model);
  }
});

t.test('an old root stays as it was while a clone of it changes', async (test) => {
  const random = Random.announced(test);
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-tree-'));
  test.teardown(() => rmSync(directory, { recursive: true }));
  const pages = PageStore.create(new HostDisk(directory), SEGMENT_BYTES);
  const tree = Tree.create(pages);
  const model = new Model();
  for (let i = 0; i < 5000; i++) change(tree, pages, model, random, true);
  pages.share(tree.root);
  const frozen = new Tree(pages, tree.root);
  const frozenModel = new Model();
  for (const [key, item] of model.items) frozenModel.items.set(key, item);
  for (let i = 0; i < 20_000; i++) change(tree, pages, model, random, false);
  checkEqual(test, frozen, frozenModel);
  checkEqual(test, tree, model);
});

t.test('a page that was not reserved', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-tree-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const pages = PageStore.create(new HostDisk(directory), SEGMENT_BYTES);
  while (pages.free > 0) pages.allocate(0);
  t.throws(() => pages.allocate(0), { message: /no page is free/ });
  pages.close();
});
