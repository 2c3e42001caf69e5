/**
 * The exchange with the device: on a socket that stands in for it, and on a real /dev/fuse mount, where there may be one.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, rmdirSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import {
  errnoName,
  exchange,
  mount,
  openFuseDevice,
  pread,
  receiveFileDescriptor,
  send,
  socketPair,
  unmount,
  watchReadable,
} from '../../src/native/addon.js';

const FUSE_INIT = 26;
/** struct fuse_in_header of linux/fuse.h */
const IN_HEADER_BYTES = 40;
const MNT_DETACH = 2;

/** A pair whose first end is non-blocking, as the device is: a watch makes it so. */
const pair = (): [number, number] => {
  const ends = socketPair();
  if (typeof ends === 'number') throw new Error(errnoName(ends));
  const watch = watchReadable(ends[0], () => {});
  if (typeof watch !== 'number') watch.close();
  return ends;
};

t.test('exchange: a reply out, a request in', (t) => {
  const [device, kernel] = pair();
  const reply = new Uint8Array(64).fill(7);
  const request = new Uint8Array(256);
  const seen = new Uint8Array(256);

  t.equal(exchange(device, reply, 0, request, 0), 0, 'nothing came');
  writeSync(kernel, Buffer.from('first'));
  t.equal(exchange(device, reply, 16, request, 0), 5);
  t.equal(Buffer.from(request.subarray(0, 5)).toString(), 'first');
  t.equal(exchange(kernel, seen, 0, seen, 0), 16, 'only the reply’s length was written');
  t.equal(send(device, reply, 64), 0);
  t.equal(exchange(kernel, seen, 0, seen, 0), 64);

  t.equal(errnoName(exchange(device, reply, 65, request, 0)), 'EINVAL', 'more than the array holds');
  t.equal(errnoName(send(device, reply, 65)), 'EINVAL');
  t.equal(errnoName(exchange(-1, reply, 0, request, 0)), 'EBADF');
  closeSync(kernel);
  t.equal(errnoName(exchange(device, reply, 0, request, 0)), 'ENODEV', 'the other side is gone');
  closeSync(device);
  t.end();
});

t.test('exchange: looks for as long as it was told', (t) => {
  const [device, kernel] = pair();
  const bytes = new Uint8Array(64);
  const from = process.hrtime.bigint();
  t.equal(exchange(device, bytes, 0, bytes, 3000), 0);
  const microseconds = Number(process.hrtime.bigint() - from) / 1000;
  t.ok(microseconds >= 3000, `${microseconds} µs`);
  closeSync(kernel);
  closeSync(device);
  t.end();
});

t.test('receiveFileDescriptor: a peer that sends none', (t) => {
  const [ours, theirs] = pair();
  writeSync(theirs, Buffer.from('x'));
  t.equal(errnoName(receiveFileDescriptor(ours)), 'ECONNRESET', 'bytes without a descriptor');
  closeSync(theirs);
  t.equal(errnoName(receiveFileDescriptor(ours)), 'ECONNRESET', 'closed');
  closeSync(ours);
  t.equal(errnoName(receiveFileDescriptor(-1)), 'EBADF');
  t.end();
});

t.test('failures are numbers', (t) => {
  t.same([-122, -95, -11, -117, -9999].map(errnoName), ['EDQUOT', 'EOPNOTSUPP', 'EAGAIN', 'EUCLEAN', 'errno 9999']);
  t.equal(errnoName(mount('none', '/nowhere/at/all', 'fuse', 0, '')), process.getuid?.() === 0 ? 'ENOENT' : 'EPERM');
  t.equal(errnoName(mount('none', `/${'x'.repeat(5000)}`, 'fuse', 0, '')), 'ENAMETOOLONG');
  t.equal(errnoName(unmount('/nowhere/at/all', 0)), process.getuid?.() === 0 ? 'ENOENT' : 'EPERM');
  t.equal(errnoName(pread(-1, new Uint8Array(1), 0, 1, 0)), 'EBADF');
  t.end();
});

const withoutDevice = existsSync('/dev/fuse') ? false : 'there is no /dev/fuse';
const withoutRoot = process.getuid?.() === 0 ? withoutDevice : 'only root can mount';
const withoutHelper = spawnSync('fusermount3', ['--version']).status === 0 ? withoutDevice : 'there is no fusermount3';

t.test('fusermount3 hands the device over', { skip: withoutHelper }, (t) => {
  const point = mkdtempSync(path.join(tmpdir(), 'razorfs-device-'));
  const [ours, theirs] = pair();
  const run = spawnSync('fusermount3', ['-o', 'fsname=razorfs-test', '--', point], {
    stdio: ['ignore', 'ignore', 'inherit', theirs],
    env: { ...process.env, _FUSE_COMMFD: '3' },
  });
  closeSync(theirs);
  t.equal(run.status, 0);
  const fd = receiveFileDescriptor(ours);
  closeSync(ours);
  t.ok(fd >= 0);
  const request = new Uint8Array(135_168);
  t.ok(exchange(fd, request, 0, request, 0) >= IN_HEADER_BYTES);
  t.equal(new DataView(request.buffer).getUint32(4, true), FUSE_INIT);
  t.equal(exchange(fd, request, 0, request, 0), 0, 'does not wait');
  t.equal(spawnSync('fusermount3', ['-u', '-z', point]).status, 0);
  t.equal(errnoName(exchange(fd, request, 0, request, 0)), 'ENODEV');
  closeSync(fd);
  rmdirSync(point);
  t.end();
});

t.test('a real mount: the first request is INIT, and the end is ENODEV', { skip: withoutRoot }, async (t) => {
  const fd = openFuseDevice();
  const point = mkdtempSync(path.join(tmpdir(), 'razorfs-device-'));
  const request = new Uint8Array(135_168);
  t.equal(errnoName(exchange(fd, request, 0, request, 0)), 'EPERM', 'not mounted yet');
  t.equal(mount('razorfs-test', point, 'fuse', 0, `fd=${fd},rootmode=40000,user_id=0,group_id=0`), 0);
  t.teardown(() => {
    unmount(point, MNT_DETACH);
    rmdirSync(point);
    closeSync(fd);
  });

  let wake: (status: number) => void = () => {};
  const watch = watchReadable(fd, (status) => wake(status));
  if (typeof watch === 'number') throw new Error(errnoName(watch));
  t.teardown(() => watch.close());
  const readable = (): Promise<number> => new Promise((resolve) => (wake = resolve));

  const first = readable();
  watch.start();
  t.equal(await first, 0);
  const length = exchange(fd, request, 0, request, 0);
  const header = new DataView(request.buffer);
  t.ok(length >= IN_HEADER_BYTES);
  t.equal(header.getUint32(0, true), length, 'the header’s length');
  t.equal(header.getUint32(4, true), FUSE_INIT);
  t.equal(exchange(fd, request, 0, request, 0), 0, 'nothing more');

  // A reply to a request that does not exist: the kernel answers ENOENT, and that is no failure.
  const reply = new Uint8Array(16);
  new DataView(reply.buffer).setUint32(0, 16, true);
  new DataView(reply.buffer).setBigUint64(8, 0xfffff0n, true);
  t.equal(exchange(fd, reply, 16, request, 0), 0);

  const gone = readable();
  t.equal(unmount(point, MNT_DETACH), 0);
  t.ok((await gone) <= 0, 'woken by the unmount');
  t.equal(errnoName(exchange(fd, request, 0, request, 0)), 'ENODEV');
});
