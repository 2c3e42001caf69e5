/** A store whose recovery was cut off, by the death of the process, is waiting for the next one, and not damaged. */
import t from 'tap';
import { checkStore } from '../../src/check/check.js';
import { findingLine } from '../../src/check/findings.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { ROOT_INO } from '../../src/store/units.js';
import { SimulatedDisk } from '../crash/simulated-disk.js';
import { makeStore, openStore, SAME_BOOT, settle } from '../crash/small-store.js';

const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };

async function errorsIn(disk: SimulatedDisk): Promise<string[]> {
  const errors: string[] = [];
  await checkStore(disk, {
    bootId: SAME_BOOT,
    onFinding: (finding) => {
      if (finding.severity === 'error') errors.push(findingLine(finding));
    },
    onProgress: () => undefined,
  });
  return errors;
}

t.test('at each step', async (t) => {
  const disk = new SimulatedDisk();
  await makeStore(disk);
  const store = await openStore(disk, SAME_BOOT);
  const files = new FileSystem(store.main, { atime: 'noatime' });
  for (const name of ['a', 'b']) files.makeNode(ROOT_INO, Buffer.from(name), 0o100644, 0, CALLER, new Attributes());
  await settle(disk, store.commit('all'));
  const dead = disk.afterProcessDeath();
  disk.kill();
  await store.close().catch(() => undefined);

  const steps: { readonly what: string; readonly disk: SimulatedDisk }[] = [];
  dead.observe = ({ kind, path }) => {
    if (kind !== 'read') steps.push({ what: `${kind} ${path}`, disk: dead.afterProcessDeath() });
  };
  const successor = await openStore(dead, SAME_BOOT);
  dead.observe = () => undefined;
  await settle(dead, successor.close());
  for (const { what, disk: left } of steps) t.same(await errorsIn(left), [], what);
});
