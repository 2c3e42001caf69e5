/** Comparing two trees: against a plain comparison of all items, and how many pages it looks at. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HostDisk } from '../../src/store/host-disk.js';
import type { PageNumber } from '../../src/store/units.js';
import { PageStore } from '../../src/tree/page-store.js';
import { PAGES_PER_CHANGE, Tree } from '../../src/tree/tree.js';
import { type ItemDifference, treeDifferences } from '../../src/tree/tree-diff.js';
import { Random } from '../random.js';

function makePages(test: Test): PageStore {
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-tree-diff-'));
  const pages = PageStore.create(new HostDisk(directory), 16 * 1024 * 1024);
  test.teardown(() => {
    pages.close();
    rmSync(directory, { recursive: true });
  });
  return pages;
}

function put(tree: Tree, pages: PageStore, object: number, minor: number, length: number, value: number): void {
  pages.reserve(PAGES_PER_CHANGE);
  if (tree.find(object, 1, minor)) tree.modify(object, 1, minor);
  else tree.insert(object, 1, minor, length);
  if (tree.valueLength >= 4) tree.words[tree.valueWord] = value;
}

function remove(tree: Tree, pages: PageStore, object: number, minor: number): void {
  pages.reserve(PAGES_PER_CHANGE);
  tree.remove(object, 1, minor);
}

/** Keeps the tree as it is, under a root that goes on being shared. */
function keep(tree: Tree, pages: PageStore): PageNumber {
  pages.share(tree.root);
  return tree.root;
}

function itemsOf(pages: PageStore, root: PageNumber): Map<string, string> {
  const tree = new Tree(pages, root);
  const items = new Map<string, string>();
  for (let more = tree.seek(0, 0, 0); more; more = tree.next()) {
    const words = tree.words.slice(tree.valueWord, tree.valueWord + Math.ceil(tree.valueLength / 4));
    items.set(`${tree.object}/${tree.kind}/${tree.minor}`, words.join());
  }
  return items;
}

/** What a comparison of all items finds, and in which order. */
function plainDifferences(pages: PageStore, before: PageNumber, after: PageNumber): string[] {
  const [a, b] = [itemsOf(pages, before), itemsOf(pages, after)];
  const rank = (key: string): number[] => key.split('/').map(Number);
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => a.get(key) !== b.get(key))
    .sort((x, y) => {
      const [p, q] = [rank(x), rank(y)];
      return p[0] - q[0] || p[1] - q[1] || p[2] - q[2];
    })
    .map((key) => `${key} ${a.get(key) ?? 'none'} → ${b.get(key) ?? 'none'}`);
}

const show = ({ object, kind, minor, before, after }: ItemDifference): string =>
  `${object}/${kind}/${minor} ${before?.join() ?? 'none'} → ${after?.join() ?? 'none'}`;

const differences = (pages: PageStore, before: PageNumber, after: PageNumber): string[] =>
  [...treeDifferences(pages, before, after)].map(show);

t.test('random trees that share pages', async (test) => {
  const random = Random.announced(test);
  const pages = makePages(test);
  const tree = Tree.create(pages);
  const roots = [keep(tree, pages)];
  for (let round = 0; round < 14; round++) {
    const count = [3, 40, 1500][round % 3];
    for (let i = 0; i < count; i++) {
      const object = random.below(round < 7 ? 400 : 60) * (random.below(10) === 0 ? 0x1_0000_0001 : 1);
      const minor = random.below(40);
      if (random.below(10) < (round < 7 ? 7 : 3)) put(tree, pages, object, minor, random.below(200), random.below(5));
      else remove(tree, pages, object, minor);
    }
    roots.push(keep(tree, pages));
  }
  let compared = 0;
  for (const before of roots) {
    for (const after of roots.filter(() => random.below(6) === 0)) {
      test.strictSame(differences(pages, before, after), plainDifferences(pages, before, after));
      compared++;
    }
  }
  test.ok(compared > 0);
});

t.test('pages that both trees have are not looked at', async (test) => {
  const pages = makePages(test);
  const tree = Tree.create(pages);
  for (let object = 0; object < 40_000; object++) put(tree, pages, object, 0, 40, object);
  const before = keep(tree, pages);
  const changed = [7, 20_000, 20_001, 39_999];
  for (const object of changed) put(tree, pages, object, 0, 40, 1_000_000);
  for (let minor = 1; minor < 200; minor++) put(tree, pages, 30_000, minor, 40, minor);
  let looked = new Set<PageNumber>();
  const { words } = pages;
  pages.words = (page) => {
    looked.add(page);
    return words.call(pages, page);
  };
  test.equal(differences(pages, before, tree.root).length, changed.length + 199);
  test.ok(looked.size < 100, `${looked.size} pages for ${changed.length + 199} items in about 600 leaves`);
  looked = new Set();
  test.strictSame(differences(pages, before, before), []);
  test.ok(looked.size <= 1, 'nothing is opened of a tree that is compared with itself');
});
