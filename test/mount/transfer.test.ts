/** diff, send and receive as users type them, on real mounts and on stores that nobody serves. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type Ended, ROOT, razorfs, run } from '../cli/program.js';
import { Place } from './mounting.js';

const PROGRAM = path.join(ROOT, 'build/src/cli/razorfs.js');

/** A line for the shell, in which `razorfs` is the program. */
const shell = (line: string, cwd: string): Promise<Ended> =>
  run('sh', ['-c', `razorfs() { "${process.execPath}" "${PROGRAM}" "$@"; }\n${line}`], { cwd });

function fill(directory: string): void {
  mkdirSync(path.join(directory, 'src'));
  writeFileSync(path.join(directory, 'src/text'), 'one\ntwo\nthree\n');
  writeFileSync(path.join(directory, 'src/binary'), Buffer.alloc(200_000));
  writeFileSync(path.join(directory, 'src/moved'), 'moved');
  writeFileSync(path.join(directory, 'odd\nname'), '');
}

function change(directory: string): void {
  writeFileSync(path.join(directory, 'src/text'), 'one\n2\nthree\n');
  writeFileSync(path.join(directory, 'src/binary'), Buffer.alloc(200_001));
  chmodSync(path.join(directory, 'src/binary'), 0o600);
  renameSync(path.join(directory, 'src/moved'), path.join(directory, 'moved here'));
  rmSync(path.join(directory, 'odd\nname'));
  mkdirSync(path.join(directory, 'ünï'));
}

t.test('diff tells what programs have just done, with the exit status of diff(1)', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const { mountPoint, store } = place;
  fill(mountPoint);
  await razorfs(['snapshot', 'create', mountPoint, 'one']);
  t.match(await razorfs(['diff', mountPoint, 'one']), { code: 0, stdout: '' });
  change(mountPoint);
  const lines = [
    'R src/moved → moved here',
    '- "odd\\nname"',
    'M src/binary  (mode 644 → 600)',
    'M src/text',
    '+ ünï/',
  ];
  const shown = await razorfs(['diff', mountPoint, 'one']);
  t.strictSame([shown.code, shown.stdout.trim().split('\n')], [1, lines], shown.stderr);
  const below = await razorfs(['diff', mountPoint, 'one', '--path', '/src/']);
  t.strictSame([below.code, below.stdout.trim().split('\n').length], [1, 3]);
  t.match((await razorfs(['diff', mountPoint, 'one', '--path', 'elsewhere'])).code, 0);
  const stat = await razorfs(['diff', mountPoint, 'one', '--stat']);
  t.match(stat.stdout, /M src\/binary {2}\(mode 644 → 600\) {2}\| 195\.3 KiB → 195\.3 KiB, \+1 B\n/);
  t.match(stat.stdout, /1 added, 1 removed, 2 modified, 1 renamed; -1 B\n$/);
  const patch = await razorfs(['diff', mountPoint, 'one', '--patch']);
  t.match(patch.stdout, '--- a/src/text\n+++ b/src/text\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n');
  t.match(patch.stdout, 'Binary files a/src/binary and b/src/binary differ\n');
  const json = await razorfs(['diff', mountPoint, 'one', '--json']);
  const changes = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { change: string });
  t.strictSame(changes.map((one) => one.change).sort(), ['added', 'modified', 'modified', 'removed', 'renamed']);
  for (const words of [['nothing'], ['one', 'nothing'], []]) {
    t.equal((await razorfs(['diff', mountPoint, ...words])).code, 2, `trouble: ${words}`);
  }
  t.equal((await shell(`razorfs diff ${mountPoint} one | head -1`, place.directory)).stderr, '', 'nobody reads on');
  await razorfs(['snapshot', 'create', mountPoint, 'two']);
  await place.umount();
  const back = await razorfs(['diff', store, 'two', 'one']);
  t.strictSame([back.code, back.stdout.split('\n').length], [1, 6], 'of a store, the other way round');
});

t.test('send and receive through a pipe, between a mount and a store', async (t) => {
  const place = new Place(t);
  const other = new Place(t);
  const { mountPoint, directory } = place;
  await place.mounted();
  fill(mountPoint);
  await razorfs(['mkfs', other.store]);
  await razorfs(['snapshot', 'create', mountPoint, 'one']);
  change(mountPoint);
  await razorfs(['snapshot', 'create', mountPoint, 'two']);

  const whole = await shell(
    `razorfs send ${mountPoint} one | razorfs receive ${other.store} --volume copy --json`,
    directory,
  );
  t.match(JSON.parse(whole.stdout), { name: 'copy@one' }, whole.stderr);
  await shell(`razorfs send ${mountPoint} --from one two > changes`, directory);
  t.ok(statSync(path.join(directory, 'changes')).size < 250_000);

  const cut = await shell(`head -c 3000 changes | razorfs receive ${other.store} --resumable`, directory);
  t.equal(cut.code, 1);
  t.match(cut.stderr, /it ends before it is complete/);
  const token = /razorfs send --resume (\S+)/.exec(cut.stderr)?.[1];
  const listed = await razorfs(['receive', other.store, '--token']);
  t.match(listed.stdout, `copy@two  ${token}`);
  const resumed = await shell(
    `razorfs send ${mountPoint} --resume ${token} | razorfs receive ${other.store}`,
    directory,
  );
  t.match(resumed, { code: 0, stdout: 'copy@two is received\n', stderr: '' });

  const same = await razorfs(['diff', other.store, 'copy@two', 'copy']);
  t.match(same, { code: 0, stdout: '' }, 'the volume is what the snapshot is');
  const differences = await razorfs(['diff', other.store, 'copy@one', 'copy@two']);
  t.strictSame(differences.stdout, (await razorfs(['diff', mountPoint, 'one', 'two'])).stdout, 'as at the sender');
  t.match(await shell(`razorfs receive ${other.store} < changes`, directory), { code: 5, stderr: /already/ });
  t.match(await razorfs(['receive', other.store, '--discard']), { code: 0, stdout: /^0 unfinished/ });
  t.match(await run(process.execPath, [path.join(ROOT, 'build/src/cli/razorfsck.js'), other.store]), { code: 0 });
  t.equal(readFileSync(path.join(mountPoint, 'src/text'), 'utf8'), 'one\n2\nthree\n', 'the sender is as it was');
});
