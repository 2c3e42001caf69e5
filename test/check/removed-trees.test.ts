/** A store that was closed while removed trees were being swept: razorfsck finds nothing wrong with them, and a repair keeps them so. */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Datasets } from '../../src/volume/datasets.js';
import { structuralProblem } from '../crash/structure.js';
import { flip, leavesOf, pagePlace } from './damage.js';
import {
  check,
  contentsOf,
  copyStore,
  fileSystemOf,
  makeEmptyStore,
  openStore,
  populate,
  repair,
} from './store-fixture.js';

t.setTimeout(120_000);

/** A store that was reset with all that is in `a`, and whose removed trees have partly been swept. */
async function makeReset(t: Test): Promise<string> {
  const directory = await makeEmptyStore(t);
  const store = await openStore(directory);
  await new Datasets(store).createSnapshot('main', 'blank');
  populate(fileSystemOf(store), 200);
  const datasets = new Datasets(store);
  const blank = datasets.snapshot('main', 'blank');
  const durable = datasets.rollBack('main', blank, { keepAs: undefined, carried: ['directory 100'], copiedMax: 0 });
  store.sweeper.slice();
  await Promise.all([store.close(), durable]);
  return directory;
}

t.test('removed trees', async (t) => {
  const directory = await makeReset(t);
  const { errors } = await check(directory);
  t.strictSame(errors, []);
  const store = await openStore(copyStore(t, directory));
  t.ok(store.main.state.removed.length > 0, 'there are some');
  const before = await contentsOf(fileSystemOf(store));
  await store.swept();
  t.strictSame([...(await contentsOf(fileSystemOf(store))).keys()], [...before.keys()]);
  await store.close();

  const damaged = copyStore(t, directory);
  const { file, position } = pagePlace(leavesOf(damaged)[3]!);
  flip(join(damaged, file), position + 500);
  t.not((await check(damaged)).errors.length, 0);
  await repair(damaged);
  t.strictSame((await check(damaged)).errors, []);
  const mended = await openStore(damaged);
  t.ok(mended.main.state.removed.length > 0, 'are still to be swept');
  await mended.swept();
  t.equal(structuralProblem(mended, mended.disk), undefined);
  const paths = [...(await contentsOf(fileSystemOf(mended))).keys()];
  const isNew = (path: string): boolean => !before.has(path) && !path.startsWith('/lost+found');
  t.strictSame(paths.filter(isNew), [], 'nothing comes back');
  await mended.close();
});
