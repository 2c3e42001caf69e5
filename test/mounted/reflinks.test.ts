/**
 * A store on hosts with reflinks, and on one without: what a file that a snapshot shares costs when parts of it are overwritten, and
 * that the file and the snapshot have what they should, after kills and new mounts too.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import t from 'tap';
import { razorfs } from '../cli/program.js';
import { LoopDisk, type LoopDiskType, noLoopDisk } from './loop-disk.js';
import { MountedStore } from './mounted-store.js';
import { contentOf } from './work-model.js';

/** mkfs.xfs makes none that are smaller. */
const DISK_BYTES = 512 << 20;
const CHUNK_BYTES = 65_536;
/** It ends within a chunk, and within a block. */
const FILE_BYTES = (48 << 20) + 12_345;
/** Beside the data: the log, pages, and the host's own bookkeeping. */
const OVERHEAD_BYTES = 12 << 20;

t.setTimeout(110_000);

const HOSTS: readonly { readonly type: LoopDiskType; readonly hasReflinks: boolean }[] = [
  { type: 'btrfs', hasReflinks: true },
  { type: 'xfs', hasReflinks: true },
  { type: 'ext4', hasReflinks: false },
];

/** Where to write, and how much: a block or less in each chunk, here and there across two blocks. */
function* changes(): Generator<{ readonly at: number; readonly length: number }> {
  for (let chunk = 0; (chunk + 1) * CHUNK_BYTES < FILE_BYTES; chunk++) {
    const length = [4096, 100, 4096, 1][chunk % 4]!;
    const within = [20_480, 8000, 0, CHUNK_BYTES - 1][chunk % 4]!;
    yield { at: chunk * CHUNK_BYTES + within, length };
  }
  yield { at: FILE_BYTES - 10, length: 10 };
}

for (const { type, hasReflinks } of HOSTS) {
  t.test(`${type}: what is overwritten after a snapshot`, { skip: noLoopDisk(type) }, async (t) => {
    const disk = new LoopDisk(t, DISK_BYTES, type);
    const mounted = new MountedStore(t, `${disk.path}/store`);
    await mounted.mounted();
    const file = mounted.path('file');
    const snapshot = mounted.path('.razorfs', 'snapshots', 'before', 'file');
    const before = contentOf(1, FILE_BYTES);
    let fd = openSync(file, 'w');
    for (let at = 0; at < before.length; ) at += writeSync(fd, before, at, Math.min(1 << 20, before.length - at));
    closeSync(fd);
    const taken = await razorfs(['snapshot', 'create', mounted.mountPoint, 'before']);
    t.equal(taken.code, 0, `the snapshot is taken ${taken.stderr}`);
    await mounted.unmounted();
    const used = await disk.usedBytes();

    // Programs' writes are to come as they are, not as the kernel's cache gathers them.
    await mounted.mounted(['-o', 'writethrough']);
    const after = Buffer.from(before);
    const content = contentOf(2, FILE_BYTES);
    fd = openSync(file, 'r+');
    let count = 0;
    for (const { at, length } of changes()) {
      writeSync(fd, content, at, length, at);
      content.copy(after, at, at, at + length);
      if (++count === 300) process.kill(await mounted.servingPid(), 'SIGKILL');
    }
    fsyncSync(fd);
    closeSync(fd);
    const assertRight = (when: string): void => {
      t.ok(readFileSync(file).equals(after), `the file, ${when}`);
      t.ok(readFileSync(snapshot).equals(before), `the snapshot, ${when}`);
    };
    assertRight('when written');
    await mounted.killEverything();
    await mounted.mounted();
    assertRight('when all processes were killed');
    await mounted.unmounted();
    await mounted.checked();
    const taking = (await disk.usedBytes()) - used;
    t.comment(`${count} changes took ${(taking / 2 ** 20).toFixed(1)} MiB`);
    // At most two blocks a change.
    if (hasReflinks) t.ok(taking < count * 8192 + OVERHEAD_BYTES, 'no chunk was copied');
    else t.ok(taking > FILE_BYTES - CHUNK_BYTES, 'as a measure: the host has the copies');

    await mounted.mounted();
    assertRight('on a host that was mounted anew');
    fd = openSync(file, 'r+');
    ftruncateSync(fd, FILE_BYTES - 70_000);
    ftruncateSync(fd, FILE_BYTES);
    closeSync(fd);
    after.fill(0, FILE_BYTES - 70_000);
    assertRight('when its end was cut off and made anew');
    await mounted.unmounted();
    await mounted.checked();
  });
}
