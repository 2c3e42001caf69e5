/** Commands at once: while one waits, for the disk or for sweeping, another may take away what it has looked up. */
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { reset } from '../../src/filesystem/reset.js';
import { storeCommand } from '../../src/mount/commands/registry.js';
import type { CommandContext } from '../../src/mount/commands/store-command.js';
import type { MountRequest } from '../../src/mount/mount-request.js';
import type { OpenedStore } from '../../src/mount/opened-store.js';
import { prepareVolume } from '../../src/mount/prepare-volume.js';
import { timestampOf } from '../../src/volume/inode.js';
import { structuralProblem } from '../crash/structure.js';
import { VOLUME_OPTIONS } from '../volume/served-volume.js';
import { pattern, TreeByPath } from '../volume/tree-by-path.js';

class Commands {
  readonly tree: TreeByPath;
  readonly #t: Test;

  constructor(t: Test, tree: TreeByPath) {
    this.#t = t;
    this.tree = tree;
  }

  /** On a store where it is never the same moment twice, or always. */
  static async on(t: Test, passing = true): Promise<Commands> {
    const tree = await TreeByPath.make(t);
    let nowMs = Date.UTC(2026, 0, 1);
    await tree.served.reopen({ now: () => timestampOf(passing ? nowMs++ : nowMs) });
    return new Commands(t, tree);
  }

  /** What is mounted within the volume. */
  mountedWithin: readonly string[] = [];

  run(name: string, args: object, volumeName = 'main'): Promise<unknown> {
    const { datasets, served } = this.tree;
    const mounts = {
      mountPointOf: () => undefined,
      mountsBelow: () => this.mountedWithin,
      flush: async () => undefined,
      emptyCaches: async () => undefined,
      rolledBack: async () => undefined,
    };
    const { signal } = new AbortController();
    const surroundings = { store: served.store, datasets, mounts, signal, log: VOLUME_OPTIONS.log };
    const context = { ...surroundings, volume: datasets.volume(volumeName), write: async () => undefined } as unknown;
    return storeCommand(name)!(args, context as CommandContext);
  }

  /** A volume with the snapshot `blank`, after a reset that has left much to be swept. */
  async leftToSweep(): Promise<void> {
    const { tree } = this;
    tree.directory('directory');
    await this.run('snapshot create', { name: 'blank' });
    for (let made = 0; made < 60; made++) tree.file(`${made}`, pattern(made, 100));
    const blank = tree.datasets.snapshot('main', 'blank');
    void tree.datasets.rollBack('main', blank, { keepAs: undefined, carried: ['directory'], copiedMax: 0 });
    this.#t.ok(tree.served.store.sweeper.isNeeded);
  }

  get names(): string[] {
    return this.tree.datasets.snapshots('main').map(({ name }) => name);
  }

  /** The store goes on, is whole, and can be recovered from its log alone. */
  async checked(): Promise<void> {
    const { served } = this.tree;
    const { names } = this;
    this.#t.equal(served.store.readOnlyReason, '');
    this.#t.equal(structuralProblem(served.store, served.disk), undefined);
    served.store.fail(new Error('stopped here'));
    await served.reopen();
    this.#t.strictSame(this.names, names, 'after a recovery');
    await served.store.close();
  }
}

t.test('a snapshot that two commands destroy', async (t) => {
  const commands = await Commands.on(t);
  for (const name of ['one', 'two', 'three']) await commands.run('snapshot create', { name });
  const [first, second] = await Promise.allSettled([
    commands.run('snapshot destroy', { names: ['one', 'two'] }),
    commands.run('snapshot destroy', { names: ['two', 'three'] }),
  ]);
  t.equal(first.status, 'fulfilled');
  t.match(second, { status: 'rejected', reason: { code: 'no-such-snapshot' } });
  t.strictSame(commands.names, ['three'], 'all of what a command names, or nothing');
  await commands.checked();
});

t.test('snapshots that two commands prune', async (t) => {
  const commands = await Commands.on(t);
  for (const name of ['one', 'two', 'three']) await commands.run('snapshot create', { name });
  const prune = { rule: 'last=1', isDryRun: false, onlyAutomatic: false };
  await Promise.all([commands.run('prune', prune), commands.run('prune', prune)]);
  t.strictSame(commands.names, ['three']);
  await commands.checked();
});

t.test('a volume that is destroyed while a command about it waits', async (t) => {
  const commands = await Commands.on(t);
  const { datasets, served } = commands.tree;
  const { store } = served;
  const other = await datasets.createVolume('other', undefined, { uid: 0, gid: 0 });
  await commands.leftToSweep();
  const waiting = commands.run('quota set', { path: 'directory', bytes: 1e6, volume: 'other' });
  await Promise.all([t.rejects(waiting, { code: 'no-such-volume' }), datasets.destroy(other)]);
  await t.rejects(datasets.setProperties(other, { quota: 1 }), { code: 'no-such-volume' });
  await t.rejects(datasets.rename(other, 'another'), { code: 'no-such-volume' });
  const snapshot = { name: 'received', properties: {}, time: store.now() };
  const adopted = { name: 'other', properties: {} };
  await t.rejects(datasets.adopt(datasets.volume('main'), other, adopted, snapshot), { code: 'no-such-volume' });
  await store.swept();
  await store.checkpoint();
  await commands.checked();
});

t.test('resets and rollbacks within a second keep what they replace by names of their own', async (t) => {
  const commands = await Commands.on(t, false);
  await commands.leftToSweep();
  const rollback = { snapshot: 'blank', keep: true };
  await Promise.all([{}, {}, {}].flatMap((args) => [commands.run('reset', args), commands.run('rollback', rollback)]));
  const time = '2026-01-01T00.00.00Z';
  const kept = ['old-root', 'before-rollback'].flatMap((what) => ['', '.2', '.3'].map((no) => `${what}-${time}${no}`));
  t.strictSame([...commands.names].sort(), ['blank', ...kept].sort());
  await commands.checked();
});

t.test('snapshots by the clock, and throw-away clones, find names that are free when they are made', async (t) => {
  const commands = await Commands.on(t, false);
  const { served, datasets } = commands.tree;
  await commands.leftToSweep();
  const opened = { store: served.store, log: VOLUME_OPTIONS.log } as unknown as OpenedStore;
  const request = { dataset: 'main', resetOnMount: false, ephemeral: true } as MountRequest;
  const clones = await Promise.all([prepareVolume(request, opened), prepareVolume(request, opened)]);
  t.strictSame(clones, ['ephemeral-2026-01-01T00.00.00Z', 'ephemeral-2026-01-01T00.00.00Z.2']);
  t.equal(datasets.volumes.length, 3);
  await commands.checked();
});

t.test('a reset goes by the rules and the files that there are when it happens', async (t) => {
  const commands = await Commands.on(t);
  const { tree } = commands;
  const { datasets, served } = tree;
  await commands.leftToSweep();
  for (let made = 0; made < 300; made++) tree.file(`more${made}`, pattern(made, 100));
  let replaced = 0;
  served.store.state.onReplacing = () => void replaced++;
  // Both wait for the sweeping, and the second also for that of what the first leaves.
  const [main, blank] = [datasets.volume('main'), datasets.snapshot('main', 'blank')];
  const first = datasets.rollBack('main', blank, { keepAs: undefined, carried: ['directory'], copiedMax: 0 });
  const second = reset(served.store, datasets, main);
  while (replaced === 0) await setImmediate();
  t.equal(replaced, 1);
  const added = commands.run('persist add', { rules: { data: ['/late'] }, isAll: false });
  tree.file('late', pattern(1, 100));
  t.match(await second, { carried: ['/late'] });
  await Promise.all([first, added]);
  t.ok(tree.exists('late'));
  await commands.checked();
});

t.test('what is mounted within while a command waits is not taken away', async (t) => {
  const commands = await Commands.on(t);
  await commands.leftToSweep();
  for (const [name, args] of Object.entries({ reset: {}, rollback: { snapshot: 'blank', keep: false } })) {
    const refused = commands.run(name, args);
    commands.mountedWithin = ['/mnt/directory'];
    await t.rejects(refused, { code: 'in-use', message: 'mounted at /mnt/directory' }, name);
    commands.mountedWithin = [];
  }
  await commands.checked();
});
