/**
 * Large files under way in both directions, in all the ways that programs have, while the serving process is killed or replaced and
 * snapshots are taken: every byte is what was written.
 *
 * @timeout 180
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { restart } from '../../src/mount/restart.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { MountedStore } from '../mounted/mounted-store.js';
import { killWorker } from './worker-kills.js';

const CLIENTS = 3;
/** Not so many that the supervisor gives up. */
const EVENTS = 4;
/** Milliseconds of work before each. */
const PAUSE_MS = 500;

type Event = (mounted: MountedStore, number: number) => Promise<unknown>;

async function takeSnapshot({ mountPoint }: MountedStore, number: number): Promise<void> {
  const { code, stderr } = await razorfs(['snapshot', 'create', mountPoint, `after-${number}`]);
  if (code !== 0) throw new Error(stderr);
}

const kill: Event = ({ store }) => killWorker(store);

const CASES: readonly { readonly name: string; readonly words: readonly string[]; readonly event: Event }[] = [
  { name: 'killed', words: [], event: kill },
  { name: 'killed, written through', words: ['-o', 'writethrough'], event: kill },
  { name: 'replaced', words: [], event: ({ mountPoint }) => restart(mountPoint) },
  {
    name: 'killed after a snapshot',
    words: [],
    event: async (mounted, number) => {
      await takeSnapshot(mounted, number);
      await killWorker(mounted.store);
    },
  },
];

for (const { name, words, event } of CASES) {
  t.test(`large files while the serving process is ${name}`, async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    t.comment(`seed ${seed}`);
    const mounted = new MountedStore(t);
    await mounted.mounted(words);
    const program = path.join(ROOT, 'test/mount/large_files.py');
    const end = path.join(mounted.directory, 'end');
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      run('python3', [program, mounted.path(`client-${client}`), end, mounted.store, String(seed + client)]),
    );
    for (let number = 0; number < EVENTS; number++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      await event(mounted, number);
    }
    writeFileSync(end, '');
    for (const { code, stdout, stderr } of await Promise.all(clients)) {
      t.equal(code, 0, stderr);
      t.ok(Number(stdout) > 0, `${stdout.trim()} rounds`);
    }
    await mounted.unmounted();
    await mounted.checked();
  });
}
