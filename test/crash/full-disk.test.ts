/**
 * A process that dies while the disk is full: its successor has no space for a new log, and goes on all the same.
 */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { DiskError } from '../../src/store/disk.js';
import { ROOT_INO } from '../../src/store/units.js';
import type { Store } from '../../src/volume/store.js';
import { KEEP_ALL, LOSE_ALL } from './fates.js';
import { SimulatedDisk } from './simulated-disk.js';
import { makeStore, OTHER_BOOT, openStore, SAME_BOOT, settle } from './small-store.js';
import { structuralProblem } from './structure.js';

const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const NAMES = ['first', 'second'];

function make(store: Store, name: string): void {
  const files = new FileSystem(store.main, { atime: 'noatime' });
  files.makeNode(ROOT_INO, Buffer.from(name), 0o100644, 0, CALLER, new Attributes());
}

function namesIn(store: Store): string[] {
  const names: string[] = [];
  const files = new FileSystem(store.main, { atime: 'noatime' });
  files.readDirectory(ROOT_INO, 2, (name) => names.push(Buffer.from(name).toString()) > 0);
  return names.sort();
}

/** A disk on which a process has died whose log has the only file for it. */
async function afterDeath(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk();
  await makeStore(disk);
  const store = await openStore(disk, SAME_BOOT);
  for (const name of NAMES) make(store, name);
  await settle(disk, store.commit('all'));
  const left = disk.afterProcessDeath();
  disk.kill();
  await store.close().catch(() => undefined);
  return left;
}

const isNewLogFile = ({ kind, path }: { kind: string; path: string }): boolean =>
  kind === 'create' && path.startsWith('wal/');

for (const bootId of [SAME_BOOT, OTHER_BOOT]) {
  const what = bootId === SAME_BOOT ? 'process died' : 'power went';
  t.test(`recovery without space for a new log, and crashes at each step of it, after the ${what}`, async (t) => {
    const left = await afterDeath();
    const disk = bootId === SAME_BOOT ? left : left.afterPowerLoss(LOSE_ALL);
    const crashes: SimulatedDisk[] = [];
    let refused = 0;
    disk.observe = (operation) => {
      crashes.push(disk.afterProcessDeath(), disk.afterPowerLoss(LOSE_ALL), disk.afterPowerLoss(KEEP_ALL));
      if (!isNewLogFile(operation)) return;
      refused++;
      throw new DiskError('ENOSPC', 'open', operation.path);
    };
    const store = await openStore(disk, bootId);
    t.ok(refused > 0, 'there was no space');
    t.same(namesIn(store), NAMES);
    make(store, 'third');
    await settle(disk, store.commit('all'));
    disk.observe = () => undefined;
    const last = disk.afterPowerLoss(LOSE_ALL);
    await settle(disk, store.close());

    for (const [index, crash] of crashes.entries()) {
      const recovered = await openStore(crash, OTHER_BOOT);
      t.same(namesIn(recovered).slice(0, NAMES.length), NAMES, `crash ${index}`);
      t.equal(structuralProblem(recovered, crash), undefined, `crash ${index}: whole`);
      await settle(crash, recovered.close());
    }
    const reopened = await openStore(last, OTHER_BOOT);
    t.same(namesIn(reopened), [...NAMES, 'third']);
    await settle(last, reopened.close());
  });
}
