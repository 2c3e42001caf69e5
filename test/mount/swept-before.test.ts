/** Commands that wait for sweeping: what programs write meanwhile is handed over by the kernel afterwards, so that it is not missed. */
import t, { type Test } from 'tap';
import { storeCommand } from '../../src/mount/commands/registry.js';
import type { CommandContext, StoreCommand } from '../../src/mount/commands/store-command.js';
import { Schedule } from '../../src/mount/schedule.js';
import { INTERVAL_PROPERTY } from '../../src/volume/properties.js';
import { VOLUME_OPTIONS } from '../volume/served-volume.js';
import { pattern, TreeByPath } from '../volume/tree-by-path.js';

const GONE = 60;

/** A volume that was reset, with much to be swept. */
async function reset(t: Test): Promise<TreeByPath> {
  const tree = await TreeByPath.make(t);
  await tree.datasets.createSnapshot('main', 'blank');
  tree.directory('home');
  tree.directory('gone');
  for (let made = 0; made < GONE; made++) tree.file(`gone/${made}`, pattern(made, 100));
  await tree.datasets.setProperties(tree.datasets.volume('main'), { [INTERVAL_PROPERTY]: '1h' });
  const blank = tree.datasets.snapshot('main', 'blank');
  void tree.datasets.rollBack('main', blank, { keepAs: undefined, carried: ['home'], copiedMax: 0 });
  t.ok(tree.served.store.sweeper.isNeeded);
  return tree;
}

const COMMANDS: Readonly<Record<string, object>> = {
  'snapshot create': { name: 'one' },
  reset: {},
  rollback: { snapshot: 'blank', keep: false },
  'persist status': {},
  diff: { before: 'blank' },
  'quota list': {},
};

for (const [name, args] of Object.entries(COMMANDS)) {
  t.test(name, async (t) => {
    const tree = await reset(t);
    const { store } = tree.served;
    const { datasets } = tree;
    let flushed = 0;
    const flush = async (): Promise<void> => {
      flushed++;
      t.notOk(store.sweeper.isNeeded, 'swept before');
    };
    const nothing = async (): Promise<void> => undefined;
    const mounts = {
      mountPointOf: () => undefined,
      mountsBelow: () => [],
      flush,
      emptyCaches: nothing,
      rolledBack: nothing,
    };
    const volume = datasets.volume('main');
    const { signal } = new AbortController();
    const context = { store, datasets, mounts, volume, signal, write: async () => undefined } as unknown;
    await (storeCommand(name) as StoreCommand<object, unknown>)(args, context as CommandContext);
    t.equal(flushed, 1);
    await store.close();
  });
}

t.test('a command that nobody waits for any more does not wait for the sweeping', async (t) => {
  const tree = await reset(t);
  const { store } = tree.served;
  const abort = new AbortController();
  const context = {
    store,
    datasets: tree.datasets,
    volume: tree.datasets.volume('main'),
    signal: abort.signal,
  } as unknown;
  const waiting = storeCommand('snapshot create')!({ name: 'one' }, context as CommandContext);
  const refused = t.rejects(waiting, { message: 'restarting' });
  abort.abort(new Error('restarting'));
  await refused;
  t.ok(store.sweeper.isNeeded);
  t.strictSame(tree.datasets.snapshots('main').length, 1);
  await store.close();
});

t.test('snapshots by the clock', async (t) => {
  const tree = await reset(t);
  const { store } = tree.served;
  let flushed = 0;
  const schedule = new Schedule(store, VOLUME_OPTIONS.log, async () => {
    flushed++;
    t.notOk(store.sweeper.isNeeded, 'swept before');
  });
  await schedule.tick(false);
  t.equal(flushed, 1);
  await schedule.stop();
  await store.close();
});

t.test('the clock that is stopped waits for no sweeping', async (t) => {
  const tree = await reset(t);
  const { store } = tree.served;
  const schedule = new Schedule(store, VOLUME_OPTIONS.log, async () => undefined);
  const ticking = t.rejects(schedule.tick(false), { name: 'AbortError' });
  await schedule.stop();
  await ticking;
  t.ok(store.sweeper.isNeeded);
  await store.close();
});
