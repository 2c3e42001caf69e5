/** The judge of power cuts: what it must accept, and what it must not. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { Entry } from './journal.js';
import { judge, orderProblem } from './power-promises.js';
import { contentOf, MODE_OF_NEW_FILES, type Operation } from './work-model.js';

const NOTHING_SAFE = 0;

/** Each operation takes 1 ms of every 10, and has returned. */
const journal = (...operations: Operation[]): Entry[] =>
  operations.map((operation, index) => ({ operation, begunMs: index * 10, endedMs: index * 10 + 1 }));

const write = (name: string, seed: number, isSynced: boolean): Operation => ({
  op: 'write',
  path: name,
  seed,
  length: 64,
  isSynced,
});
const mkdir = (name: string): Operation => ({ op: 'mkdir', path: name });

/** A directory with these files; names that end with a slash are directories. */
function directoryWith(t: { testdir(): string }, files: Readonly<Record<string, Buffer>>): string {
  const directory = t.testdir();
  for (const [name, content] of Object.entries(files)) {
    const full = path.join(directory, name);
    if (name.endsWith('/')) mkdirSync(full);
    else writeFileSync(full, content, { mode: MODE_OF_NEW_FILES });
  }
  return directory;
}

const NONE = Buffer.alloc(0);
const first = contentOf(1, 64);
const second = contentOf(2, 64);

t.test('the metadata is a prefix, and all that was synced', async (t) => {
  const past = journal(mkdir('a'), write('f', 1, true), mkdir('b'), mkdir('c'));
  const prefixes = (files: Readonly<Record<string, Buffer>>) =>
    judge(directoryWith(t, files), past, NOTHING_SAFE).prefixes;
  t.same(prefixes({ 'a/': NONE, f: first, 'b/': NONE, 'c/': NONE }), [4]);
  t.same(prefixes({ 'a/': NONE, f: first }), [2], 'what came after the fsync may be lost');
  t.same(prefixes({ 'a/': NONE, f: first, 'c/': NONE }), [], 'not in another order');
  t.same(prefixes({ 'a/': NONE }), [], 'the file was synced');
  t.same(prefixes({ f: first }), [], 'so is what came before it');
});

t.test('a directory that is not there shows that nothing was done', async (t) => {
  const directory = t.testdir();
  rmSync(directory, { recursive: true });
  t.same(judge(directory, journal(mkdir('a')), NOTHING_SAFE).prefixes, [0]);
  t.same(judge(directory, journal(write('f', 1, true)), NOTHING_SAFE).prefixes, []);
});

t.test('data', async (t) => {
  const isRight = (content: Buffer, ...operations: Operation[]) =>
    judge(directoryWith(t, { f: content }), journal(...operations), NOTHING_SAFE).prefixes.length > 0;
  t.ok(isRight(NONE, write('f', 1, false)), 'not synced: missing');
  t.ok(isRight(Buffer.alloc(64), write('f', 1, false)), 'not synced: zeros');
  t.notOk(isRight(second, write('f', 1, false)), 'of another file');
  t.notOk(isRight(Buffer.alloc(64), write('f', 1, true)), 'synced: zeros');
  t.notOk(isRight(first.subarray(0, 32), write('f', 1, true)), 'synced: cut off');

  const rewritten = [write('f', 1, true), write('f', 2, false)];
  t.ok(isRight(first, ...rewritten), 'the old');
  t.ok(isRight(Buffer.concat([first.subarray(0, 32), second.subarray(32)]), ...rewritten), 'a part of the new');

  const patched: Operation[] = [
    write('f', 1, true),
    { op: 'overwrite', path: 'f', seed: 3, at: 16, length: 16, isSynced: false },
  ];
  const [hole, beside] = [Buffer.from(first), Buffer.from(first)];
  hole.fill(0, 16, 32);
  beside.fill(0, 32, 48);
  t.ok(isRight(hole, ...patched), 'zeros where it was written');
  t.notOk(isRight(beside, ...patched), 'zeros beside it');

  const renamed: Operation[] = [write('tmp', 1, false), { op: 'rename', path: 'tmp', to: 'f' }];
  t.ok(isRight(first, ...renamed), 'whole after a rename');
  t.notOk(isRight(Buffer.alloc(64), ...renamed), 'not whole after a rename');
});

t.test('what is old enough is there', async (t) => {
  const past = journal(mkdir('a'), write('f', 1, false), mkdir('b'));
  const safeUntil = past[1]!.endedMs! + 1;
  t.same(judge(directoryWith(t, { 'a/': NONE, f: first }), past, safeUntil).prefixes, [2]);
  t.same(judge(directoryWith(t, { 'a/': NONE, f: Buffer.alloc(64) }), past, safeUntil).prefixes, []);
  t.same(judge(directoryWith(t, { 'a/': NONE }), past, safeUntil).prefixes, []);
});

t.test('what one writer did before another', async (t) => {
  const entries = journal(mkdir('a'), mkdir('b'), mkdir('c'));
  t.equal(
    orderProblem([
      { entries, prefixes: [3] },
      { entries, prefixes: [3] },
    ]),
    undefined,
  );
  t.equal(
    orderProblem([
      { entries, prefixes: [2] },
      { entries, prefixes: [3] },
    ]),
    undefined,
    'c and c ran side by side',
  );
  t.equal(
    orderProblem([
      { entries, prefixes: [1, 2] },
      { entries, prefixes: [3] },
    ]),
    undefined,
    'it may be both',
  );
  t.match(
    orderProblem([
      { entries, prefixes: [1] },
      { entries, prefixes: [3] },
    ]),
    /only 1 of these/,
  );
});
