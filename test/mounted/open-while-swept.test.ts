/**
 * Files that are open while a reset's leftovers are swept, and the mount changes hands: they can be read to the end, and their space
 * comes back when they are closed. And what `status` says of leftovers that stay.
 *
 * @timeout 120
 */
import { closeSync, linkSync, mkdirSync, openSync, readdirSync, readSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ControlClient } from '../../src/mount/control-client.js';
import type { ServedDataset } from '../../src/mount/control-protocol.js';
import { restart } from '../../src/mount/restart.js';
import { runHere } from '../../src/mount/run-here.js';
import { razorfs } from '../cli/program.js';
import { MountedStore } from './mounted-store.js';

t.setTimeout(120_000);

/** More than a reset copies (COPIED_MAX of datasets.ts). */
const KEPT = 4200;
/** Enough to be in the middle of sweeping them while the mount changes hands. */
const GONE = 20_000;
/** Files with another name in what goes, one for each moment. */
const OPEN = ['before', 'between', 'after'];
const LARGE = Buffer.alloc(300_000, 'large ');

async function command(t: Test, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await razorfs(words);
  t.equal(code, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

/** What the serving process tells of the mount, whichever process that is. */
async function served(root: MountedStore): Promise<ServedDataset & { readonly pid: number }> {
  const daemon = await ControlClient.connectAnswering(root.store);
  if (daemon === undefined) throw new Error('nobody serves');
  daemon.client.close();
  return { ...daemon.status.mounts[0]!, pid: daemon.status.pid };
}

async function sweptTo(t: Test, root: MountedStore, inodes: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const now = await served(root);
    if (!now.isUnswept && now.inodes === inodes) return;
    await setTimeout(20);
  }
  t.equal((await served(root)).inodes, inodes);
}

/** A volume with `/kept`, of which each of `OPEN` has another name in what a reset takes away. */
async function lived(t: Test): Promise<MountedStore> {
  const root = new MountedStore(t);
  await root.mounted();
  await command(t, 'snapshot', 'create', root.mountPoint, 'blank');
  for (const name of ['kept', 'gone']) mkdirSync(root.path(name));
  // Names are swept in no order of theirs: each of the files has several.
  for (const name of OPEN) {
    writeFileSync(root.path('kept', name), name === 'after' ? LARGE : name);
    for (let made = 0; made < 20; made++) linkSync(root.path('kept', name), root.path('gone', `${name} ${made}`));
  }
  for (let made = 0; made < GONE; made++) writeFileSync(root.path('gone', `${made}`), '');
  for (let made = 0; made < KEPT; made++) writeFileSync(root.path('kept', `${made}`), '');
  await command(t, 'persist', 'add', root.mountPoint, '/kept');
  return root;
}

const HANDS: Readonly<Record<string, (root: MountedStore, pid: number) => Promise<unknown>>> = {
  restart: (root) => restart(root.mountPoint),
  'kill -9': async (_, pid) => process.kill(pid, 'SIGKILL'),
};

for (const [name, changeHands] of Object.entries(HANDS)) {
  t.test(name, async (t) => {
    const root = await lived(t);
    const { pid } = await served(root);
    await command(t, 'reset', root.mountPoint, '--forget');
    const open = new Map(OPEN.map((file) => [file, openSync(root.path('kept', file), 'r')]));
    unlinkSync(root.path('kept/before'));
    const { isUnswept } = await served(root);
    await changeHands(root, pid);
    t.comment(`changed hands ${isUnswept ? 'while' : 'after'} sweeping`);
    unlinkSync(root.path('kept/between'));
    await sweptTo(t, root, 2 + KEPT + OPEN.length);
    unlinkSync(root.path('kept/after'));
    await changeHands(root, (await served(root)).pid);
    t.strictSame(readdirSync(root.mountPoint), ['kept']);
    // Sweeping is not logged: what no checkpoint has seen is swept again.
    await sweptTo(t, root, 2 + KEPT + OPEN.length);
    for (const [file, fd] of open) {
      const expected = file === 'after' ? LARGE : Buffer.from(file);
      const content = Buffer.alloc(expected.length + 1);
      t.equal(readSync(fd, content, 0, content.length, 0), expected.length, file);
      t.ok(content.subarray(0, expected.length).equals(expected), file);
      closeSync(fd);
    }
    await sweptTo(t, root, 2 + KEPT);
    t.equal((await served(root)).dataBytes, 0);
    await root.unmounted();
    await root.checked();
  });
}

t.test('what status says of what is not swept', async (t) => {
  const root = await lived(t);
  t.notMatch(await command(t, 'status', root.mountPoint), 'left behind');
  await command(t, 'reset', root.mountPoint, '--forget');
  await root.killEverything();
  await root.mounted(['--read-only']);
  const said = await command(t, 'status', root.mountPoint);
  t.match(said, /used .*, with what the last reset has left behind, which is swept once it is mounted for writing/);
  await root.remounted();
  await sweptTo(t, root, 2 + KEPT + OPEN.length);
  t.notMatch(await command(t, 'status', root.mountPoint), 'left behind');
});

t.test('files of several names, all of them in what goes', async (t) => {
  const root = await lived(t);
  mkdirSync(root.path('gone too'));
  for (let made = 0; made < 50; made++) linkSync(root.path(`gone/${made}`), root.path(`gone too/${made}`));
  await root.unmounted();
  const run = async (name: string, args: object): Promise<unknown> => {
    const caller = { uid: 0, gid: 0 };
    const request = { command: 'run', name, args, mountPoint: '', device: '', caller } as const;
    return (await runHere(root.store, request, {}, true))?.result;
  };
  await run('reset', { forget: true });
  const { quotas } = (await run('quota list', {})) as { quotas: readonly { inodesUsed: number }[] };
  t.equal(quotas[0]?.inodesUsed, 2 + KEPT + OPEN.length, 'are gone when they are swept');

  // And where the volume is being mounted meanwhile.
  await root.mounted();
  const other = path.join(root.directory, 'other');
  mkdirSync(other);
  await command(t, 'volume', 'create', root.mountPoint, 'other', '--from', 'blank');
  await command(t, other, '--store', root.store, '--volume', 'other');
  await command(t, 'snapshot', 'create', other, 'blank');
  for (const name of ['kept', 'gone', 'gone too']) mkdirSync(path.join(other, name));
  for (let made = 0; made < GONE; made++) {
    writeFileSync(path.join(other, `gone/${made}`), '');
    if (made % 10 === 0) linkSync(path.join(other, `gone/${made}`), path.join(other, `gone too/${made}`));
  }
  for (let made = 0; made < KEPT; made++) writeFileSync(path.join(other, `kept/${made}`), '');
  await command(t, 'persist', 'add', other, '/kept');
  await command(t, 'umount', other);
  const [, mounted] = await Promise.all([
    razorfs(['reset', root.mountPoint, '--volume', 'other', '--forget']),
    razorfs([other, '--store', root.store, '--volume', 'other']),
  ]);
  t.equal(mounted.code, 0, mounted.stderr);
  await command(t, 'snapshot', 'create', other, 'swept');
  const status = JSON.parse(await command(t, 'status', '--json', other)).mounts[0];
  t.equal(status.mount.inodes, 2 + KEPT);
  await command(t, 'umount', other);
  await root.unmounted();
  await root.checked();
});
