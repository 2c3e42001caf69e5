/**
 * What people do with a file system, on a real mount, and whether all of it is the same after unmounting and mounting: each
 * byte, mode, owner, time, link count, attribute and hole.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT } from '../cli/program.js';
import { MountedStore, succeed } from './mounted-store.js';
import {
  checkGit,
  checkSqlite,
  isRegistryReachable,
  JOURNAL_MODES,
  makeArchive,
  makeRepository,
  unpack,
  workWithGit,
  workWithNpm,
  workWithSqlite,
} from './real-work.js';

const TIMEOUT_MS = 110_000;
/** So that looking at everything changes nothing. */
const OPTIONS = ['-o', 'noatime'];
const DIFFERENCES_SHOWN = 10;

/** By path, a line of JSON with all that is to be seen of it. */
async function manifest(directory: string, words: readonly string[] = []): Promise<Map<string, string>> {
  const lines = await succeed('python3', ['-B', path.join(ROOT, 'test/mounted/manifest.py'), directory, ...words]);
  return new Map(
    lines
      .trimEnd()
      .split('\n')
      .map((line) => [JSON.parse(line).path, line]),
  );
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths]
    .filter((name) => before.get(name) !== after.get(name))
    .slice(0, DIFFERENCES_SHOWN)
    .map((name) => `${before.get(name) ?? 'nothing'}\n  became ${after.get(name) ?? 'nothing'}`);
}

t.setTimeout(TIMEOUT_MS);

t.test('real work is all there after mounting again', async (t) => {
  const mounted = new MountedStore(t);
  await mounted.mounted(OPTIONS);
  const sources = path.join(mounted.directory, 'sources');
  mkdirSync(sources);

  await t.test('git clones, checks and packs a repository of thousands of files', async () => {
    await makeRepository(path.join(sources, 'repository'));
    await workWithGit(path.join(sources, 'repository'), mounted.path('clone'));
  });

  await t.test('tar unpacks one of everything', async (t) => {
    const { tree, archive } = await makeArchive(sources);
    await unpack(archive, mounted.path('unpacked'));
    const [original, copy] = await Promise.all(
      [tree, mounted.path('unpacked/tree')].map((directory) => manifest(directory, ['--portable'])),
    );
    t.ok(original!.size > 50);
    t.same(differences(original!, copy!), []);
  });

  await t.test('sqlite commits and rolls back in each journal mode', async () => {
    mkdirSync(mounted.path('databases'));
    for (const mode of JOURNAL_MODES) {
      await workWithSqlite(mounted.path('databases', mode), mode);
    }
  });

  const npm = (await isRegistryReachable()) ? false : 'the npm registry cannot be reached';
  await t.test('npm installs a package with dependencies', { skip: npm }, () => workWithNpm(mounted.path('package')));

  await t.test('everything is the same after a new mount', async (t) => {
    const before = await manifest(mounted.mountPoint);
    t.ok(before.size > 4000, `${before.size} files`);
    await mounted.unmounted();
    await mounted.checked();
    await mounted.mounted(OPTIONS);
    t.same(differences(before, await manifest(mounted.mountPoint)), []);
    await checkGit(mounted.path('clone'));
    for (const mode of JOURNAL_MODES) {
      await checkSqlite(mounted.path('databases', mode));
    }
  });

  await t.test('and after everything is removed the store is empty and sound', async (t) => {
    await succeed('find', [mounted.mountPoint, '-mindepth', '1', '-delete']);
    t.same([...(await manifest(mounted.mountPoint)).keys()], ['.']);
    await mounted.unmounted();
    await mounted.checked();
  });
});
