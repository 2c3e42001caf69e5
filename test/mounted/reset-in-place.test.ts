/**
 * A reset of more files than are copied, on a real mount: it takes milliseconds, open files stay what they are while the rest is swept,
 * and the sweeping goes on when the serving process dies.
 *
 * @timeout 120
 */
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import t, { type Test } from 'tap';
import { razorfs } from '../cli/program.js';
import { MountedStore } from './mounted-store.js';

t.setTimeout(120_000);

/** More than a reset copies (COPIED_MAX of datasets.ts). */
const KEPT = 9000;
const GONE = 6000;

async function command(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(words);
  t.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

t.test('a reset of many files', async (t) => {
  const root = new MountedStore(t);
  const { mountPoint } = root;
  await root.mounted();
  await command(t, 'snapshot', 'create', mountPoint, 'blank');
  for (const [directory, files] of Object.entries({ kept: KEPT, gone: GONE })) {
    mkdirSync(root.path(directory));
    for (let made = 0; made < files; made++) writeFileSync(root.path(directory, `${made}`), `${directory} ${made}`);
  }
  for (const number of [1, 2]) linkSync(root.path('kept', `${number}`), root.path('gone', `other ${number}`));
  await command(t, 'persist', 'add', mountPoint, '/kept');
  const used = async (): Promise<number> =>
    JSON.parse(await command(t, 'status', '--json', mountPoint)).mounts[0].status.mounts[0].inodes;
  t.equal(await used(), KEPT + GONE + 3);
  t.notMatch(await command(t, 'status', mountPoint), 'left behind');

  const { carried } = JSON.parse(await command(t, 'reset', mountPoint, '--json'));
  t.strictSame(carried, ['/kept']);
  const open = openSync(root.path('kept/1'), 'r');
  unlinkSync(root.path('kept/1'));
  process.kill(await root.servingPid(), 'SIGKILL');
  t.strictSame(readdirSync(mountPoint), ['kept']);
  t.equal(readdirSync(root.path('kept')).length, KEPT - 1);
  while ((await used()) > KEPT + 2);
  const content = Buffer.alloc(100);
  t.equal(content.toString('latin1', 0, readSync(open, content)), 'kept 1', 'can be read while it is open');
  closeSync(open);
  while ((await used()) > KEPT + 1);
  t.equal(statSync(root.path('kept/2')).nlink, 1);
  t.notOk(existsSync(root.path('gone')));
  await root.remounted();
  t.equal(readdirSync(root.path('kept')).length, KEPT - 1);
  await root.unmounted();
  await root.checked();
});
