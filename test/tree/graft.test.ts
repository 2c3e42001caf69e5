/** Grafting ranges of one tree into another, against sorted maps. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HostDisk } from '../../src/store/host-disk.js';
import type { PageNumber } from '../../src/store/units.js';
import { Graft, type ObjectRange } from '../../src/tree/graft.js';
import { KEY_WORDS } from '../../src/tree/key.js';
import { branchSlot, countOf, levelOf, pageProblem } from '../../src/tree/page.js';
import { PageStore } from '../../src/tree/page-store.js';
import { PAGES_PER_CHANGE, Tree } from '../../src/tree/tree.js';
import { treeDifferences } from '../../src/tree/tree-diff.js';
import { Random } from '../random.js';

type Items = Map<number, number>;

const OBJECTS = 4000;
const KIND = 1;

/** A tree of objects with up to three items each, and what is in it: by object × 4 + minor, the value's first word. */
function makeTree(pages: PageStore, random: Random, objects: number, value: number): { tree: Tree; items: Items } {
  const tree = Tree.create(pages);
  const items: Items = new Map();
  for (let made = 0; made < objects; made++) {
    const object = random.below(OBJECTS);
    const minor = random.below(3);
    if (items.has(object * 4 + minor)) continue;
    tree.insert(object, KIND, minor, 4 + random.below(400));
    tree.words[tree.valueWord] = value + made;
    items.set(object * 4 + minor, value + made);
  }
  return { tree, items };
}

function readTree(tree: Tree): Items {
  const items: Items = new Map();
  for (let more = tree.seek(0, 0, 0); more; more = tree.next()) {
    items.set(tree.object * 4 + tree.minor, tree.words[tree.valueWord]!);
  }
  return items;
}

const sorted = (items: Items): [number, number][] => [...items].sort(([a], [b]) => a - b);

/** Ascending ranges, some of them side by side, some empty of items. */
function makeRanges(random: Random): ObjectRange[] {
  const ranges: ObjectRange[] = [];
  for (let from = random.below(200); from < OBJECTS; ) {
    const to = from + 1 + random.below(random.below(4) === 0 ? 1500 : 40);
    ranges.push({ from, to });
    from = to + (random.below(4) === 0 ? 0 : random.below(random.below(4) === 0 ? 1500 : 40));
  }
  return ranges;
}

/** Counts references by walking trees; returns what is wrong with a page on the way. */
function countPages(pages: PageStore, roots: readonly PageNumber[]): { counts: Map<number, number>; problem?: string } {
  const counts = new Map<number, number>();
  const waiting = [...roots];
  for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
    counts.set(page, (counts.get(page) ?? 0) + 1);
    if (counts.get(page)! > 1) continue;
    const [words, base] = [pages.words(page), pages.base(page)];
    const problem = pageProblem(words, base, page);
    if (problem !== undefined) return { counts, problem };
    for (let slot = 0; levelOf(words, base) > 0 && slot < countOf(words, base); slot++) {
      waiting.push(words[branchSlot(base, slot) + KEY_WORDS] as PageNumber);
    }
  }
  return { counts };
}

t.test('random ranges', async (t) => {
  const random = Random.announced(t);
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-graft-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const pages = PageStore.create(new HostDisk(directory), 1024 * 1024);
  const roots: PageNumber[] = [];
  for (let round = 0; round < 25; round++) {
    pages.reserve(20_000);
    const target = makeTree(pages, random, random.below(3) === 0 ? 10 : 6000, 0);
    const source = makeTree(pages, random, random.below(4) === 0 ? 30 : 9000, 100_000);
    const ranges = random.below(10) === 0 ? [] : makeRanges(random);
    const before = pages.free;
    const made = new Graft(pages, target.tree.root, source.tree.root, ranges);
    const root = made.make();
    if (before - pages.free !== made.pagesTaken)
      t.fail(`round ${round}: ${before - pages.free} pages, not ${made.pagesTaken}`);

    const isWithin = (key: number): boolean => ranges.some(({ from, to }) => key >= from * 4 && key < to * 4);
    const expected: Items = new Map([
      ...[...target.items].filter(([key]) => !isWithin(key)),
      ...[...source.items].filter(([key]) => isWithin(key)),
    ]);
    const grafted = new Tree(pages, root);
    if (JSON.stringify(sorted(readTree(grafted))) !== JSON.stringify(sorted(expected))) t.fail(`round ${round}: items`);
    for (const { tree, items } of [target, source]) {
      if (JSON.stringify(sorted(readTree(tree))) !== JSON.stringify(sorted(items)))
        t.fail(`round ${round}: a tree changed`);
    }
    let differences = 0;
    for (const { object, before, after } of treeDifferences(pages, source.tree.root, root)) {
      if (isWithin(object * 4) && before?.[0] !== after?.[0])
        t.fail(`round ${round}: ${object} differs from its source`);
      differences++;
    }
    const all = new Map([...source.items].map(([key, value]) => [key, value]));
    const changed = [...new Set([...all.keys(), ...expected.keys()])].filter(
      (key) => all.get(key) !== expected.get(key),
    );
    if (differences !== changed.length) t.fail(`round ${round}: ${differences} differences for ${changed.length}`);

    // It can be changed like any other tree, without the trees that it shares with.
    for (let change = 0; change < 300; change++) {
      pages.reserve(PAGES_PER_CHANGE);
      const [object, minor] = [random.below(OBJECTS), random.below(3)];
      const key = object * 4 + minor;
      if (grafted.remove(object, KIND, minor) !== expected.delete(key))
        t.fail(`round ${round}: ${key} was not as expected`);
      if (random.below(2) === 0) continue;
      grafted.insert(object, KIND, minor, 8);
      grafted.words[grafted.valueWord] = change;
      expected.set(key, change);
    }
    if (JSON.stringify(sorted(readTree(grafted))) !== JSON.stringify(sorted(expected)))
      t.fail(`round ${round}: changes`);
    if (JSON.stringify(sorted(readTree(source.tree))) !== JSON.stringify(sorted(source.items)))
      t.fail('the source changed');
    roots.push(target.tree.root, source.tree.root, grafted.root);
    if (!t.passing()) break;
  }
  const { counts, problem } = countPages(pages, roots);
  t.equal(problem, undefined);
  const wrong = [...counts].filter(([page, count]) => pages.count(page as PageNumber) !== count);
  t.strictSame(wrong, [], 'the reference counts of all pages');
  pages.close();
});
