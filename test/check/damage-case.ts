/**
 * A kind of damage as a test: it is planted alone in a copy of a store; razorfsck finds it, the repair mends it, a second check is
 * content, and everything that was not damaged reads as before.
 */
import { readdirSync } from 'node:fs';
import type { Test } from 'tap';
import type { FindingCode } from '../../src/check/findings.js';
import { asIno } from '../../src/store/units.js';
import { Inode, STORAGE_BLOB, STORAGE_PACK } from '../../src/volume/inode.js';
import { KIND_DIRENT, readU64 } from '../../src/volume/items.js';
import type { VolumeState } from '../../src/volume/state.js';
import { tamper } from './damage.js';
import { type Contents, check, contentsOfStore, copyStore, makeStore, repair } from './store-fixture.js';

export interface Case {
  readonly plant: (directory: string) => void | Promise<void>;
  /** What is found, at least. */
  readonly finds: FindingCode;
  /** Nothing else is. */
  readonly only?: boolean;
  /** How many paths may be missing or changed after the repair (beside those under /lost+found). */
  readonly lostMax?: number;
  /** Volumes and snapshots that are gone after the repair, or have another name. */
  readonly drops?: readonly string[];
  /** Names expected in /lost+found. */
  readonly puts?: RegExp;
}

export type Cases = Readonly<Record<string, Case>>;

export const onInode =
  (change: (inode: Inode, state: VolumeState) => void, pick: (inode: Inode) => boolean) =>
  (directory: string): Promise<void> =>
    tamper(directory, (state) => {
      const inode = new Inode();
      for (let ino = state.store.counters.nextIno - 1; ino > 1; ino--) {
        if (!inode.load(state.tree, asIno(ino)) || !pick(inode)) continue;
        change(inode, state);
        inode.store(state.tree);
        return;
      }
      throw new Error('no such inode');
    });

export const isDirectory = (inode: Inode): boolean => inode.mode >>> 12 === 4;
export const isFile = (inode: Inode): boolean => inode.mode >>> 12 === 8;
export const hasExtent = (inode: Inode): boolean => inode.storage === STORAGE_PACK;
export const hasBlob = (inode: Inode): boolean => inode.storage === STORAGE_BLOB;

export const firstOf = (state: VolumeState, kind: number): { readonly object: number; readonly minor: number } => {
  for (let found = state.tree.seek(1, 0, 0); found; found = state.tree.next()) {
    if (state.tree.kind === kind) return { object: state.tree.object, minor: state.tree.minor };
  }
  throw new Error('no such item');
};

/** An entry of a file with one name. */
export function lastFileEntry(state: VolumeState): { readonly object: number; readonly minor: number } {
  const inode = new Inode();
  for (let ino = state.store.counters.nextIno - 1; ino > 1; ino--) {
    if (!inode.load(state.tree, asIno(ino)) || !isFile(inode) || inode.nlink !== 1) continue;
    for (let found = state.tree.seek(1, 0, 0); found; found = state.tree.next()) {
      if (state.tree.kind === KIND_DIRENT && readU64(state.tree.words, state.tree.valueWord) === ino) {
        return { object: state.tree.object, minor: state.tree.minor };
      }
    }
  }
  throw new Error('no such file');
}

/** Paths that are missing or differ, but for those in some volumes and snapshots. */
const differences = (before: Contents, after: Contents, drops: readonly string[]): string[] =>
  [...before].flatMap(([path, description]) => {
    if (drops.some((name) => path.startsWith(`${name}:`))) return [];
    // The root changes when /lost+found is made in it.
    if (path.endsWith('/') && after.has(`${path}lost+found`)) return [];
    return after.get(path) === description ? [] : [path];
  });

async function checkCase(
  t: Test,
  store: string,
  before: Contents,
  { plant, finds, only, lostMax, drops = [], puts }: Case,
): Promise<void> {
  const directory = copyStore(t, store);
  await plant(directory);
  const { errors } = await check(directory);
  t.ok(
    errors.some(({ code }) => code === finds),
    `found: ${finds}`,
  );
  if (only === true) t.strictSame([...new Set(errors.map(({ code }) => code))], [finds], 'and nothing else');
  await repair(directory);
  t.strictSame((await check(directory)).errors, [], 'no errors after the repair');
  t.ok(
    readdirSync(directory).some((name) => name.startsWith('repair-backup-')),
    'the originals are kept',
  );
  const after = await contentsOfStore(directory);
  const changed = differences(before, after, drops);
  for (const name of drops) t.notOk(after.has(`${name}:/`), `${name} is gone`);
  t.ok(
    changed.length <= (lostMax ?? 0),
    `what was not damaged is the same: ${changed.slice(0, 5)} (${changed.length})`,
  );
  if (puts !== undefined) {
    const names = [...after.keys()].flatMap((path) => /^\/lost\+found\/([^/]*)$/.exec(path)?.[1] ?? []);
    t.ok(
      names.some((name) => puts.test(name)),
      `in lost+found: ${names.slice(0, 5)}`,
    );
  }
  t.strictSame((await check(directory)).errors, [], 'no errors after the store was used');
}

/** Runs the cases as subtests, on copies of a store. */
export async function testCases(
  t: Test,
  cases: Cases,
  make: (test: Test) => Promise<string> = makeStore,
): Promise<void> {
  t.setTimeout(300_000);
  const store = await make(t);
  const before = await contentsOfStore(copyStore(t, store));
  t.test('nothing is found before', async (t) => t.strictSame((await check(store)).findings, []));
  for (const [name, damage] of Object.entries(cases)) {
    t.test(name, (t) => checkCase(t, store, before, damage));
  }
}
