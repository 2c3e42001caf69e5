/** Commands at once: while one waits, for the disk or for sweeping, another may take away what it has looked up. */
import t, { type Test } from 'tap';
import { storeCommand } from '../../src/mount/commands/registry.js';
import type { CommandContext } from '../../src/mount/commands/store-command.js';
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

  static async on(t: Test): Promise<Commands> {
    return new Commands(t, await TreeByPath.make(t));
  }

  run(name: string, args: object, volumeName = 'main'): Promise<unknown> {
    const { datasets, served } = this.tree;
    const mounts = {
      mountPointOf: () => undefined,
      mountsBelow: () => [],
      flush: async () => undefined,
      rolledBack: async () => undefined,
    };
    const { signal } = new AbortController();
    const surroundings = { store: served.store, datasets, mounts, signal, log: VOLUME_OPTIONS.log };
    const context = { ...surroundings, volume: datasets.volume(volumeName), write: async () => undefined } as unknown;
    return storeCommand(name)!(args, context as CommandContext);
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
  await Promise.all([
    commands.run('snapshot destroy', { names: ['one', 'two'] }),
    commands.run('snapshot destroy', { names: ['two', 'three'] }),
  ]);
  t.strictSame(commands.names, []);
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

t.test('a snapshot that is held while others are pruned before it', async (t) => {
  const commands = await Commands.on(t);
  for (const name of ['one', 'two', 'three']) await commands.run('snapshot create', { name });
  const pruned = commands.run('prune', { rule: 'last=1', isDryRun: false, onlyAutomatic: false });
  await commands.run('snapshot hold', { name: 'one', tag: 'mine' });
  t.match(await pruned, { destroyed: 1 });
  t.strictSame(commands.names, ['one', 'three']);
  await commands.checked();
});

t.test('a volume that is destroyed while a command about it waits', async (t) => {
  const commands = await Commands.on(t);
  const { datasets, served } = commands.tree;
  const { store } = served;
  commands.tree.directory('directory');
  await commands.run('snapshot create', { name: 'blank' });
  for (let made = 0; made < 60; made++) commands.tree.file(`${made}`, pattern(made, 100));
  await commands.run('volume create', { name: 'other', from: 'blank' });
  const other = datasets.volume('other');
  void datasets.rollBack('main', datasets.snapshot('main', 'blank'), {
    keepAs: undefined,
    carried: ['directory'],
    copiedMax: 0,
  });
  t.ok(store.sweeper.isNeeded);
  const waiting = commands.run('quota set', { path: 'directory', bytes: 1e6, volume: 'other' });
  await datasets.destroy(other);
  await t.rejects(waiting, { code: 'no-such-volume' });
  await t.rejects(datasets.setProperties(other, { quota: 1 }), { code: 'no-such-volume' });
  await t.rejects(datasets.rename(other, 'another'), { code: 'no-such-volume' });
  const snapshot = { name: 'received', properties: {}, time: store.now() };
  const adopted = { name: 'other', properties: {} };
  await t.rejects(datasets.adopt(datasets.volume('main'), other, adopted, snapshot), { code: 'no-such-volume' });
  await store.swept();
  await store.checkpoint();
  await commands.checked();
});
