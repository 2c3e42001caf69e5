/**
 * The benches in miniature: every part runs and gives a figure. What the figures are says nothing here. @timeout 300
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { TargetFigures } from '../../bench/compare/compare.js';
import { ROWS, type RowKey } from '../../bench/compare/rows.js';
import type { RequestFigures } from '../../bench/requests.js';
import type { ScaleFigures } from '../../bench/scale/scale.js';
import type { SnapshotFigures } from '../../bench/snapshots.js';
import { HOST, RAZORFS } from '../../bench/targets/own.js';
import { ROOT, run } from '../cli/program.js';

/** A busy machine takes its time. */
t.setTimeout(290_000);

const BENCH = path.join(ROOT, 'build/bench/main.js');
/** Rows of programs that may not be installed, and of npm, which a quick run leaves out. */
const OPTIONAL: readonly RowKey[] = ['gitClone', 'npmInstall', 'sqliteSync', 'sqliteNoSync'];

/** Runs the bench in a directory of its own; returns what it printed, and its figures. Where there are plots, one is looked at. */
async function bench<Figures>(t: Test, name: string, words: readonly string[], plots = true) {
  mkdirSync(path.join(ROOT, 'build'), { recursive: true });
  const directory = mkdtempSync(path.join(ROOT, 'build/test-bench-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const json = path.join(directory, 'figures.json');
  const work = path.join(directory, 'work');
  const ended = await run(process.execPath, [
    BENCH,
    ...[name, '--quick', '--directory', work, '--json', json, ...(plots ? ['--plots', directory] : []), ...words],
  ]);
  t.equal(ended.code, 0, ended.stderr);
  t.strictSame(readdirSync(work), [], 'nothing is left behind');
  if (plots) {
    const plot = readFileSync(path.join(directory, `${name}.svg`), 'utf8');
    t.match(plot, /^<svg[^>]*>[\s\S]*<\/svg>\n$/);
    t.notMatch(plot, /NaN|undefined/);
  }
  const { figures } = JSON.parse(readFileSync(json, 'utf8')) as { figures: Figures };
  return { figures, stdout: ended.stdout };
}

t.test('scale: every figure at every size', async (t) => {
  t.setTimeout(140_000);
  const { figures, stdout } = await bench<ScaleFigures[][]>(t, 'scale', ['--files', '400', '--layout', 'tree']);
  t.strictSame(
    figures.flat().map(({ layout, files }) => `${files} in ${layout}`),
    ['400 in tree'],
  );
  for (const figure of figures.flat()) {
    for (const [name, value] of Object.entries(figure)) {
      t.ok(typeof value === 'string' || value > 0, `${name} is ${value}`);
    }
  }
  t.match(stdout, /\| mount after kill -9, ms/);
});

t.test('compare: every row for the host and for RazorFS', async (t) => {
  t.setTimeout(140_000);
  const { figures, stdout } = await bench<TargetFigures[]>(t, 'compare', ['--only', `${HOST},${RAZORFS}`]);
  t.strictSame(
    figures.map(({ name }) => name),
    [HOST, RAZORFS],
  );
  for (const { name, values, failures } of figures) {
    t.strictSame(failures, [], `${name} did all its work`);
    for (const key of Object.keys(ROWS) as RowKey[]) {
      if (!OPTIONAL.includes(key)) t.ok(values[key].length === 1 && values[key][0] > 0, `${name}: ${key}`);
    }
  }
  t.match(stdout, /\| create \+ write 4 KiB, ops\/s/);
});

t.test('requests: what each operation sends', async (t) => {
  t.setTimeout(140_000);
  const { figures, stdout } = await bench<RequestFigures[]>(t, 'requests', [], false);
  const of = (row: RowKey) => figures.find(({ operation }) => operation === ROWS[row].label)?.requests;
  // A few more for the directory, or because the kernel has been short of memory.
  for (const [row, name] of [
    ['create', 'LOOKUP'],
    ['create', 'CREATE'],
    ['create', 'WRITE'],
    ['createFsync', 'FSYNC'],
    ['unlink', 'UNLINK'],
  ] as const) {
    const count = of(row)?.[name] ?? 0;
    t.ok(count >= 1 && count < 1.5, `${row}: ${count} ${name}`);
  }
  t.match(stdout, /\| untar, a file +\| .*CREATE/);
});

t.test('snapshots: taking, going back and comparing', async (t) => {
  const { figures, stdout } = await bench<SnapshotFigures[]>(t, 'snapshots', ['--files', '300'], false);
  t.strictSame(
    figures.map(({ files, changes }) => [files, changes]),
    [[300, 40]],
  );
  for (const { create, rollback, reset, carry, diffCold, diffWarm, diffProgram } of figures) {
    const times = [create, rollback, reset, carry].map(({ milliseconds }) => milliseconds);
    for (const milliseconds of [...times, diffCold, diffWarm, diffProgram]) t.ok((milliseconds ?? 0) > 0);
  }
  t.match(stdout, /\| diff -rq, ms/);
});
