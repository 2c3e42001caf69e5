/** Which files of a mount are open: found without keeping others waiting for it. */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { parseMountInfo } from '../../src/mount/mount-table.js';
import { openInodes } from '../../src/mount/open-inodes.js';

const OPEN = 500;

t.test('the open files of a device', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'razorfs-open-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const files = Array.from({ length: OPEN }, (_, number) => openSync(path.join(directory, `${number}`), 'w'));
  const inodes = files.map((fd) => fstatSync(fd).ino);
  const mountId = /^mnt_id:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${files[0]}`, 'latin1'))?.[1];
  const device = parseMountInfo(readFileSync('/proc/self/mountinfo', 'latin1')).find(
    ({ id }) => id === Number(mountId),
  )?.device;
  if (device === undefined) throw new Error('the mount of temporary files is not in the list');
  let isDone = false;
  const found = openInodes(device).finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns++) await setImmediate();
  t.ok(turns > 2, `others had ${turns} turns`);
  const all = await found;
  t.ok(inodes.every((inode) => all.has(inode)));
  for (const fd of files) closeSync(fd);
  t.equal((await openInodes('0:0')).size, 0);
});
