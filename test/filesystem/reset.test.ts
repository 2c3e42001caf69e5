/** Selective persistence: what a reset leaves, what it takes, and what it keeps of the old root. */
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { reset } from '../../src/filesystem/reset.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { resolvePath } from '../../src/volume/paths.js';
import {
  carriedPaths,
  PERSISTENCE_PROPERTY,
  parseRules,
  rulesAsJson,
  rulesOf,
  withRules,
} from '../../src/volume/persistence.js';
import { structuralProblem } from '../crash/structure.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from '../volume/served-volume.js';

t.test('rules as JSON', async (t) => {
  const json = {
    data: ['/etc/ssh', { path: '/home/ana/', directory: true, owner: '1000:100', mode: '0700' }],
    cache: ['var/cache'],
  };
  const rules = parseRules(json);
  t.strictSame(rulesAsJson(rules), {
    data: ['/etc/ssh', { path: '/home/ana', directory: true, owner: '1000:100', mode: '0700' }],
    cache: ['/var/cache'],
  });
  t.strictSame(parseRules(rulesAsJson(rules)), rules);
  t.strictSame(withRules(rules, parseRules({ cache: ['/etc/ssh'] })).length, 3, 'one rule for a path');
  for (const bad of [
    [],
    { other: [] },
    { data: ['/'] },
    { data: ['a/../b'] },
    { data: [{}] },
    { data: [{ path: 'a', x: 1 }] },
  ]) {
    t.throws(() => parseRules(bad), { code: 'bad-property' }, JSON.stringify(bad));
  }
  t.strictSame(
    carriedPaths(parseRules({ data: ['/a/b', '/a', '/ab'] })),
    ['a', 'ab'],
    'paths below others go with them',
  );
});

const filled = async (t: Parameters<typeof ServedVolume.make>[0]): Promise<ServedVolume> => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  const make = (parent: Ino, name: string): Ino => {
    const out = new Attributes();
    served.filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, out);
    return out.ino;
  };
  served.makeFile('os-release', Buffer.from('base'));
  await datasets.createSnapshot('main', 'blank');
  served.makeFile('host_key', Buffer.from('key'), make(make(ROOT_INO, 'etc'), 'ssh'));
  served.makeFile('messages', Buffer.from('log'), make(make(ROOT_INO, 'var'), 'log'));
  served.makeFile('thesis', Buffer.alloc(100_000, 't'), make(make(ROOT_INO, 'home'), 'Documents'));
  served.makeFile('junk', Buffer.from('junk'));
  served.remove('os-release');
  return served;
};

t.test('a reset keeps what persists, and the old root to look at', async (t) => {
  const served = await filled(t);
  let datasets = new Datasets(served.store);
  const rules = {
    data: ['/etc/ssh', '/home/Documents', { path: '/srv/data', directory: true, owner: '7:8', mode: '0750' }],
    cache: ['/var/log', '/nothing/here'],
  };
  await datasets.setProperties(datasets.volume('main'), { [PERSISTENCE_PROPERTY]: rules });
  const before = structuralProblem(served.store, served.disk);
  t.equal(before, undefined);
  const report = await reset(served.store, datasets, datasets.volume('main'));
  t.match(report, {
    carried: ['/etc/ssh', '/home/Documents', '/var/log'],
    missing: ['/nothing/here', '/srv/data'],
    kept: /^old-root-/,
  });
  const exists = (path: string): boolean => resolvePath(served.volume.state, path) !== undefined;
  for (const path of ['os-release', 'etc/ssh/host_key', 'var/log/messages', 'home/Documents/thesis', 'srv/data']) {
    t.ok(exists(path), path);
  }
  t.notOk(exists('junk'));
  const out = new Attributes();
  served.filesystem.getAttributes(served.find('data', served.find('srv')), out);
  t.strictSame([out.uid, out.gid, out.mode & 0o7777], [7, 8, 0o750]);
  t.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole');

  await served.reopen();
  datasets = new Datasets(served.store);
  const old = served.store.snapshot(datasets.snapshot('main', report.kept ?? ''));
  const oldFiles = new FileSystem(old, { atime: 'noatime' });
  oldFiles.lookup(ROOT_INO, Buffer.from('junk'), out);
  const bytes = Buffer.alloc(4);
  await oldFiles.read(out.ino, 0, 4, bytes, 0);
  t.equal(bytes.toString(), 'junk', 'a file can be fetched from the old root');
  t.strictSame(rulesAsJson(rulesOf(datasets.volume('main').properties)).data.length, 3, 'the rules persist too');

  const again = await reset(served.store, datasets, datasets.volume('main'), { dropCaches: true, without: ['srv'] });
  t.strictSame(again.carried, ['/etc/ssh', '/home/Documents']);
  t.notOk(exists('var/log'), 'caches can be given up');
  t.notOk(exists('srv'), 'and a rule left out for once');
  for (const { name } of datasets.snapshots('main')) {
    if (name !== 'blank') await datasets.destroy(datasets.snapshot('main', name));
  }
  while (served.store.hasDying) await setImmediate();
  t.equal(structuralProblem(served.store, served.disk), undefined, 'the store is whole without the old roots');
  await served.store.close();
});

t.test('without a blank snapshot nothing is reset', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  await t.rejects(reset(served.store, datasets, datasets.volume('main')), { code: 'no-such-snapshot' });
  await served.store.close();
});

const FILES = 40;

t.test('files with names in several directories that persist stay one file, with their link counts', async (t) => {
  const served = await ServedVolume.make(t, SMALL_GEOMETRY);
  const datasets = new Datasets(served.store);
  const { filesystem } = served;
  const make = (parent: Ino, name: string): Ino => {
    const out = new Attributes();
    filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, out);
    return out.ino;
  };
  await datasets.createSnapshot('main', 'blank');
  const [data, logs] = [make(ROOT_INO, 'data'), make(ROOT_INO, 'logs')];
  const parents = [data, logs, ...['inner', 'outer', 'other'].map((name) => make(data, name))];
  for (let number = 0; number < FILES; number++) {
    served.makeFile(`file ${number}`, Buffer.from(`content ${number}`), parents[number % parents.length]);
  }
  const out = new Attributes();
  for (let number = 0; number < FILES; number++) {
    const home = parents[number % parents.length]!;
    filesystem.lookup(home, Buffer.from(`file ${number}`), out);
    const { ino } = out;
    for (let link = 0; link < number % 4; link++) {
      filesystem.link(
        ino,
        parents[(number * 3 + link * 2) % parents.length]!,
        Buffer.from(`l ${number} ${link}`),
        CALLER,
        out,
      );
    }
  }
  const rules = { data: ['/data', '/logs'] };
  await datasets.setProperties(datasets.volume('main'), { [PERSISTENCE_PROPERTY]: rules });
  await reset(served.store, datasets, datasets.volume('main'));
  t.equal(structuralProblem(served.store, served.disk), undefined);
  await served.reopen();
  const paths = ['data', 'logs', 'data/inner', 'data/outer', 'data/other'];
  for (let number = 0; number < FILES; number++) {
    const home = resolvePath(served.volume.state, paths[number % paths.length]!)!;
    served.filesystem.lookup(home, Buffer.from(`file ${number}`), out);
    t.equal(out.nlink, 1 + (number % 4), `file ${number}`);
    const content = Buffer.alloc(out.size);
    await served.filesystem.read(out.ino, 0, out.size, content, 0);
    t.equal(content.toString(), `content ${number}`);
  }
  t.equal(structuralProblem(served.store, served.disk), undefined, 'after a new mount');
  await served.store.close();
});
