/**
 * "Ephemeral by default, persist by name" on real mounts: an impermanent root that is reset with what persists, a session of which
 * nothing stays, and a workspace that goes on from blank at each mount.
 *
 * @timeout 180
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import t, { type Test } from 'tap';
import type { PersistenceStatus } from '../../src/mount/commands/persistence.js';
import { razorfs } from '../cli/program.js';
import { MountedStore } from './mounted-store.js';

t.setTimeout(180_000);

async function command(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(words);
  t.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** A root as a person would have it after a while, with a blank snapshot of how it began. */
async function lived(t: Test): Promise<MountedStore> {
  const root = new MountedStore(t);
  await root.mounted();
  mkdirSync(root.path('etc'));
  writeFileSync(root.path('etc/hostname'), 'blank\n');
  await command(t, 'snapshot', 'create', root.mountPoint, 'blank');
  for (const directory of ['etc/ssh', 'var/log', 'home/ana/Documents', 'home/ana/Downloads', 'usr/lib']) {
    mkdirSync(root.path(directory), { recursive: true });
  }
  writeFileSync(root.path('etc/ssh/host_key'), 'key\n');
  writeFileSync(root.path('etc/hostname'), 'changed\n');
  writeFileSync(root.path('var/log/messages'), 'line\n'.repeat(1000));
  writeFileSync(root.path('home/ana/Documents/thesis'), Buffer.alloc(300_000, 'thesis '));
  writeFileSync(root.path('home/ana/Downloads/large'), Buffer.alloc(2_000_000, 'x'));
  writeFileSync(root.path('usr/lib/library'), Buffer.alloc(50_000, 'y'));
  return root;
}

const PERSISTED = ['/etc/ssh', '/var/log', '/home/ana/Documents'];

t.test('a reset leaves what persists, and keeps the old root to look at', async (t) => {
  const root = await lived(t);
  const { mountPoint } = root;
  await command(t, 'persist', 'add', mountPoint, ...PERSISTED, '/nothing/yet');
  await root.remounted();
  const status: PersistenceStatus = JSON.parse(await command(t, 'persist', 'status', mountPoint, '--json'));
  t.equal(status.vanishing[0]?.path, '/home/ana/Downloads', 'the largest comes first');
  t.match(
    status.vanishing.find(({ path }) => path === '/etc/hostname'),
    { change: 'modified' },
  );
  t.notOk(status.vanishing.some(({ path }) => path.startsWith('/etc/ssh') || path === '/var'));
  t.strictSame(
    status.persisted.filter(({ exists }) => !exists).map(({ path }) => path),
    ['/nothing/yet'],
  );
  const report = JSON.parse(await command(t, 'reset', mountPoint, '--json'));
  t.strictSame(report.missing, ['/nothing/yet']);
  const check = (when: string): void => {
    t.equal(readFileSync(root.path('etc/hostname'), 'utf8'), 'blank\n', `hostname ${when}`);
    t.equal(readFileSync(root.path('etc/ssh/host_key'), 'utf8'), 'key\n');
    t.equal(statSync(root.path('var/log/messages')).size, 5000);
    t.ok(readFileSync(root.path('home/ana/Documents/thesis')).equals(Buffer.alloc(300_000, 'thesis ')));
    t.notOk(existsSync(root.path('home/ana/Downloads')), 'what does not persist is gone');
    t.notOk(existsSync(root.path('usr')));
  };
  check('at once');
  await root.remounted();
  check('after a remount');
  const old = root.path('.razorfs/snapshots', report.kept);
  t.equal(statSync(`${old}/home/ana/Downloads/large`).size, 2_000_000, 'the old root is there to look at');
  writeFileSync(root.path('fetched'), readFileSync(`${old}/usr/lib/library`));
  t.ok(readFileSync(root.path('fetched')).equals(Buffer.alloc(50_000, 'y')), 'and a file can be fetched from it');

  await command(t, 'persist', 'remove', mountPoint, '/var/log');
  const second = JSON.parse(await command(t, 'reset', mountPoint, '--json', '--without', '/home/ana'));
  t.strictSame(second.carried, ['/etc/ssh'], 'one rule was removed, another left out for this session');
  t.notOk(existsSync(root.path('var')));
  await command(t, 'prune', mountPoint, '--keep-last', '1', '--automatic');
  t.strictSame(
    readdirSync(root.path('.razorfs/snapshots')).filter((name) => name.startsWith('old-root')).length,
    1,
    'old roots can be pruned',
  );
  t.ok(existsSync(root.path('.razorfs/snapshots/blank')));
  await root.unmounted();
  await root.checked();
});

t.test('blank at each mount, but for what persists', async (t) => {
  const root = await lived(t);
  await command(t, 'persist', 'add', root.mountPoint, '/home/ana/Documents');
  await command(t, 'persist', 'add', root.mountPoint, '/srv/data', '--directory', '--owner', '7:8', '--mode', '0750');
  // Programs save by writing anew and renaming: what persists is the path.
  writeFileSync(root.path('home/ana/Documents/new'), 'second\n');
  renameSync(root.path('home/ana/Documents/new'), root.path('home/ana/Documents/thesis'));
  await root.remounted(['--reset-on-mount']);
  t.equal(readFileSync(root.path('home/ana/Documents/thesis'), 'utf8'), 'second\n');
  t.notOk(existsSync(root.path('usr')));
  const { uid, gid, mode } = statSync(root.path('srv/data'));
  t.strictSame([uid, gid, mode & 0o7777], [7, 8, 0o750], 'a directory that must exist was made');
  writeFileSync(root.path('temporary'), 'x');
  await root.remounted(['--reset-on-mount']);
  t.notOk(existsSync(root.path('temporary')));
  await root.remounted();
  t.ok(existsSync(root.path('srv/data')), 'without the word nothing is reset');
  await root.killEverything();
  await root.mounted();
  await root.unmounted();
  await root.checked();
});

t.test('what cannot be there is no rule, and does not keep a root from being reset', async (t) => {
  const root = new MountedStore(t);
  await root.mounted();
  mkdirSync(root.path('run'));
  symlinkSync('run', root.path('var'));
  await command(t, 'snapshot', 'create', root.mountPoint, 'blank');
  const { code, stderr } = await razorfs(['persist', 'add', root.mountPoint, '/var/lock']);
  t.equal(code, 2);
  t.match(stderr, '"/var" is no directory');
  const notText = await razorfs(['persist', 'add', root.mountPoint, '/caf\ufffd']);
  t.match(notText.stderr, 'is not UTF-8');
  rmSync(root.path('var'));
  await command(t, 'persist', 'add', root.mountPoint, '/var/lock', '--directory');
  t.ok(statSync(root.path('var/lock')).isDirectory());
  rmSync(root.path('var'), { recursive: true });
  const report = JSON.parse(await command(t, 'reset', root.mountPoint, '--json'));
  t.strictSame(report.obstructed, ['/var/lock']);
  t.equal(readlinkSync(root.path('var')), 'run', 'programs see the new root');
  await root.umount();
  await root.mounted(['--reset-on-mount']);
  t.equal(readlinkSync(root.path('var')), 'run');
});

t.test('an ephemeral mount leaves nothing behind', async (t) => {
  const root = await lived(t);
  await root.remounted(['--ephemeral']);
  t.equal(readFileSync(root.path('etc/hostname'), 'utf8'), 'changed\n', 'it begins as the volume is');
  writeFileSync(root.path('etc/hostname'), 'tried out\n');
  writeFileSync(root.path('home/ana/Documents/thesis'), 'overwritten');
  writeFileSync(root.path('temporary'), Buffer.alloc(500_000));
  await root.remounted();
  t.equal(readFileSync(root.path('etc/hostname'), 'utf8'), 'changed\n');
  t.ok(readFileSync(root.path('home/ana/Documents/thesis')).equals(Buffer.alloc(300_000, 'thesis ')));
  t.notOk(existsSync(root.path('temporary')));
  await root.remounted(['--ephemeral']);
  writeFileSync(root.path('temporary'), 'x');
  await root.killEverything();
  await root.mounted();
  t.notOk(existsSync(root.path('temporary')), 'nor after a crash of everything');
  const volumes = JSON.parse(await command(t, 'volume', 'list', root.mountPoint, '--json'));
  t.strictSame(
    volumes.volumes.map(({ name }: { name: string }) => name),
    ['main'],
    'no clone is left',
  );
  await root.unmounted();
  await root.checked();
});

t.test('without a blank snapshot a reset is refused, with what to do', async (t) => {
  const root = new MountedStore(t);
  await root.mounted();
  writeFileSync(root.path('file'), 'x');
  const { code, stderr } = await razorfs(['reset', root.mountPoint]);
  t.not(code, 0);
  t.match(stderr, /no snapshot "blank".*\n.*snapshot create/);
  t.ok(existsSync(root.path('file')));
  await root.unmounted();
});
