/**
 * Crashes around a reset that shares pages with the old root, or takes it over: afterwards the volume is in one of the states that it was in, and the
 * store is whole, also when the old root is destroyed.
 */
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { resolvePath } from '../../src/volume/paths.js';
import type { Store } from '../../src/volume/store.js';
import { Random } from '../random.js';
import { manifestOf } from '../transfer/manifest.js';
import { CALLER } from '../volume/served-volume.js';
import { newStore } from './campaign.js';
import { KEEP_ALL, LOSE_ALL, randomFate } from './fates.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { OTHER_BOOT, openStore, SAME_BOOT, settle } from './small-store.js';
import { structuralProblem } from './structure.js';

/** Enough for many leaves side by side. */
const FILES = 400;

/** What can be seen of the volume, as of a snapshot: what is to be swept does not count. */
async function shown(disk: SimulatedDisk, store: Store): Promise<string> {
  const { dataset, tree } = store.main.state;
  return (await settle(disk, manifestOf(store, { ...dataset, type: 'snapshot', root: tree.root }))).join('\n');
}

class Maker {
  readonly #filesystem: FileSystem;
  readonly #out = new Attributes();

  constructor(store: Store) {
    this.#filesystem = new FileSystem(store.main, { atime: 'noatime' });
  }

  directory(parent: Ino, name: string): Ino {
    this.#filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, this.#out);
    return this.#out.ino;
  }

  files(parent: Ino, prefix: string, count: number): void {
    for (let made = 0; made < count; made++) {
      this.#filesystem.makeNode(parent, Buffer.from(`${prefix}${made}`), 0o100644, 0, CALLER, this.#out);
      if (made % 8 === 0) this.#filesystem.write(this.#out.ino, 0, 3, Buffer.from('abc'), 0, false, CALLER);
    }
  }

  remove(parent: Ino, name: string): void {
    this.#filesystem.lookup(parent, Buffer.from(name), this.#out);
    this.#filesystem.unlink(parent, Buffer.from(name), CALLER);
    this.#filesystem.forget(this.#out.ino);
  }
}

async function crashAround(test: Test, copiedMax: number): Promise<void> {
  const random = Random.announced(test);
  const disk = await newStore();
  const store = await openStore(disk, SAME_BOOT);
  const datasets = new Datasets(store);
  const maker = new Maker(store);
  await settle(disk, datasets.createSnapshot('main', 'blank'));
  const home = maker.directory(ROOT_INO, 'home');
  maker.files(home, 'kept', FILES);
  maker.files(ROOT_INO, 'gone', 20);
  maker.files(maker.directory(maker.directory(ROOT_INO, 'trees'), 'tree'), 'gone', FILES);
  maker.files(home, 'late', FILES);
  await settle(disk, store.checkpoint());
  maker.files(home, 'unsealed', FILES);
  await settle(disk, store.commit('all'));

  const states = new Set([await shown(disk, store)]);
  const crashes: SimulatedDisk[] = [];
  disk.observe = () => {
    if (crashes.length < 12) crashes.push(disk.afterProcessDeath());
  };
  const blank = datasets.snapshot('main', 'blank');
  await settle(disk, datasets.rollBack('main', blank, { keepAs: 'old', carried: ['home'], copiedMax }));
  states.add(await shown(disk, store));
  const again = resolvePath(store.main.state, 'home')!;
  maker.remove(again, 'kept17');
  states.add(await shown(disk, store));
  for (const name of ['one', 'two', 'three']) {
    maker.directory(again, name);
    states.add(await shown(disk, store));
  }
  await settle(disk, store.checkpoint());
  disk.observe = () => undefined;
  test.equal(structuralProblem(store, disk), undefined, 'the store is whole');
  crashes.push(disk.afterProcessDeath());
  disk.kill();
  await store.close().catch(() => undefined);
  disk.dispose();
  test.equal(states.size, 6);

  let seen = 0;
  for (const crashed of crashes) {
    for (const fate of [undefined, KEEP_ALL, LOSE_ALL, randomFate(random)]) {
      const left = fate === undefined ? crashed.afterProcessDeath() : crashed.afterPowerLoss(fate);
      const opened = await openStore(left, fate === undefined ? SAME_BOOT : OTHER_BOOT);
      const problem = structuralProblem(opened, left);
      if (problem !== undefined) test.fail(`crash ${seen}: ${problem}`);
      if (!states.has(await shown(left, opened))) test.fail(`crash ${seen}: a state that never was`);
      for (const { name } of new Datasets(opened).snapshots('main')) {
        await settle(left, new Datasets(opened).destroy(new Datasets(opened).snapshot('main', name)));
      }
      while (opened.hasDying) await setImmediate();
      await opened.swept();
      if (!states.has(await shown(left, opened))) test.fail(`crash ${seen}, swept: a state that never was`);
      const after = structuralProblem(opened, left);
      if (after !== undefined) test.fail(`crash ${seen}, without the old root: ${after}`);
      await settle(left, opened.close());
      left.dispose();
      seen++;
    }
    crashed.dispose();
  }
  test.ok(seen >= 40, `${seen} crashes`);
}

t.test('a crash around a reset of many files', (test) => crashAround(test, FILES * 10));

t.test('a crash around a reset in place, and while what it leaves behind is swept', (test) => crashAround(test, 0));
