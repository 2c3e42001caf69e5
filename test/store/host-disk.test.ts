/**
 * The real disk in a scratch directory of the host; and, for root, on small loop-mounted file systems that lack fallocate
 * or run out of space.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { socketPair } from '../../src/native/addon.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { equalBytes, failure, loopMounted, pattern, scratch } from './scratch.js';

t.test('reads and writes at any offset of a buffer, and past 4 GiB of a file', (t) => {
  const disk = new HostDisk(scratch(t));
  const file = disk.open('data', 'create');
  const bytes = pattern(10_000);
  const back = new Uint8Array(20_000).fill(0xee);
  for (const position of [0, 123, 2 ** 32 + 5, 2 ** 41]) {
    file.write(bytes, 100, 5000, position);
    t.equal(file.read(back, 3, 5000, position), 5000);
    equalBytes(t, back.subarray(3, 5003), bytes.subarray(100, 5100));
  }
  t.same([back[2], back[5003]], [0xee, 0xee], 'nothing around it is touched');
  t.equal(file.size(), 2 ** 41 + 5000);
  t.ok(file.allocatedBytes() < 1 << 20, 'sparse');
  t.equal(file.read(back, 0, 20_000, 2 ** 41 + 4000), 1000, 'short at the end');
  t.equal(file.read(back, 0, 10, 2 ** 42), 0, 'nothing past it');
  t.throws(() => file.read(back, 19_999, 2, 0), failure('EINVAL', 'pread', 'data'), 'outside of the buffer');
  t.throws(() => file.write(bytes, -1, 2, 0), failure('EINVAL', 'pwrite', 'data'));
  file.truncate(50);
  t.equal(file.size(), 50);
  file.close();
  t.end();
});

t.test('cached and background reads', async (t) => {
  const disk = new HostDisk(scratch(t));
  const file = disk.open('data', 'create');
  const bytes = pattern(1 << 20);
  file.write(bytes, 0, bytes.length, 0);
  const back = new Uint8Array(bytes.length);
  t.equal(file.readCached(back, 0, back.length, 0), back.length, 'just written: in the page cache');
  equalBytes(t, back, bytes);
  t.equal(file.readCached(back, 0, 100, bytes.length - 10), 10, 'short at the end');

  await file.sync();
  back.fill(0);
  const reads = [0, 1, 2, 3].map((i) => file.readInBackground(back, i << 18, 1 << 18, i << 18));
  t.same(await Promise.all(reads), [1 << 18, 1 << 18, 1 << 18, 1 << 18]);
  equalBytes(t, back, bytes);
  await t.rejects(file.readInBackground(back, 0, back.length + 1, 0), failure('EINVAL', 'pread', 'data'));
  file.syncNow();
  file.close();
});

/** The two ends of a stream that takes a message as the FUSE device does, from any thread. */
const messages = (t: Test): { device: number; received: (length: number) => Uint8Array } => {
  const pair = socketPair();
  if (typeof pair === 'number') throw new Error(`socketpair: ${pair}`);
  const [device, reader] = pair;
  t.teardown(() => pair.forEach((fd) => void fs.closeSync(fd)));
  return {
    device,
    received: (length) => {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; ) at += fs.readSync(reader, bytes, at, length - at, null);
      return bytes;
    },
  };
};

t.test('a range of a file goes into a message without being read', async (t) => {
  const { device, received } = messages(t);
  const file = new HostDisk(scratch(t)).open('data', 'create');
  const bytes = pattern(65_536);
  file.write(bytes, 0, bytes.length, 0);
  const message = new Uint8Array(16 + bytes.length).fill(0xee);
  message.set(pattern(16, 99));
  const wanted = (position: number, length: number) =>
    Buffer.concat([pattern(16, 99), bytes.subarray(position, position + length), Buffer.alloc(length)], 16 + length);

  for (const position of [0, 4096, 5000]) {
    t.equal(file.sendCached(message, 16, 20_000, position, device), 'sent');
    equalBytes(t, received(20_016), wanted(position, 20_000));
    t.equal(await file.sendInBackground(message, 16, 20_000, position, device), 0);
    equalBytes(t, received(20_016), wanted(position, 20_000));
  }
  t.equal(file.sendCached(message, 16, 20_000, 60_000, device), 'unfit', 'the file ends in the range');
  t.equal(await file.sendInBackground(message, 16, 20_000, 60_000, device), 0);
  equalBytes(t, received(20_016), wanted(60_000, 20_000), 'zeros behind it');
  t.equal(file.sendCached(message, 16, bytes.length + 1, 0, device), 'unfit', 'outside of the buffer');
  await t.rejects(file.sendInBackground(message, 16, bytes.length + 1, 0, device), failure('EINVAL', 'pread', 'data'));
  file.close();
});

t.test('a cached read of what the page cache does not hold', (t) => {
  const directory = scratch(t);
  const disk = new HostDisk(directory);
  const file = disk.open('data', 'create');
  const bytes = pattern(1 << 20);
  file.write(bytes, 0, bytes.length, 0);
  file.syncNow();
  const back = new Uint8Array(bytes.length);
  // dd asks the kernel to drop the file's pages (posix_fadvise).
  execFileSync('dd', [`if=${directory}/data`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
  const cached = file.readCached(back, 0, back.length, 0);
  t.ok(cached === -1 || cached === back.length, 'all, or -1');
  t.comment(cached === -1 ? 'the pages were dropped' : 'the host keeps or does not tell');
  t.equal(file.read(back, 0, back.length, 0), back.length);
  equalBytes(t, back, bytes);
  file.close();
  t.end();
});

t.test('allocation, holes and seeking', (t) => {
  const disk = new HostDisk(scratch(t));
  const file = disk.open('data', 'create');
  t.same([file.seekData(0), file.seekHole(0)], [-1, -1], 'empty');
  file.allocate(0, 1 << 20);
  t.equal(file.size(), 1 << 20);
  t.ok(file.allocatedBytes() >= 1 << 20);
  file.reserve(1 << 20, 1 << 20);
  t.equal(file.size(), 1 << 20, 'the size stays');
  t.ok(file.allocatedBytes() >= 2 << 20);

  const bytes = pattern(1 << 20);
  file.write(bytes, 0, bytes.length, 0);
  file.punch(65_536, 65_536);
  const back = new Uint8Array(1 << 20);
  file.read(back, 0, back.length, 0);
  equalBytes(t, back.subarray(0, 65_536), bytes.subarray(0, 65_536));
  t.ok(back.subarray(65_536, 131_072).every((byte) => byte === 0));
  equalBytes(t, back.subarray(131_072), bytes.subarray(131_072));
  t.equal(file.size(), 1 << 20);
  t.equal(file.seekHole(0), 65_536);
  t.equal(file.seekData(65_536), 131_072);
  t.equal(file.seekData(10), 10);
  t.equal(file.seekHole(131_072), 1 << 20, 'the end counts as a hole');
  t.same([file.seekData(2 << 20), file.seekHole(2 << 20)], [-1, -1], 'past the end');
  t.throws(() => file.allocate(0, 0), failure('EINVAL', 'fallocate', 'data'));
  file.close();
  t.end();
});

t.test('maps: shared with reads and writes, beyond the end, and past close', (t) => {
  const disk = new HostDisk(scratch(t));
  const file = disk.open('data', 'create');
  file.allocate(0, 8192);
  const map = file.map(1 << 20);
  t.equal(map.length, 1 << 20);
  map[5000] = 77;
  const back = new Uint8Array(1);
  file.read(back, 0, 1, 5000);
  t.equal(back[0], 77);
  file.write(Uint8Array.of(78), 0, 1, 6000);
  t.equal(map[6000], 78);
  file.allocate(8192, 8192);
  map[16_383] = 79;
  file.read(back, 0, 1, 16_383);
  t.equal(back[0], 79, 'the file has grown under the map');
  file.close();
  map[5000] = 80;

  const again = disk.open('data', 'read');
  again.read(back, 0, 1, 5000);
  t.equal(back[0], 80, 'written through the map after close');
  t.equal(again.map(4096 * 4)[6000], 78, 'read-only map');
  again.close();
  t.throws(() => again.map(4096), failure('EBADF', 'mmap', 'data'));
  const other = disk.open('data', 'write');
  t.throws(() => other.map(2 ** 30 + 1), failure('EINVAL', 'mmap', 'data'));
  t.throws(() => other.map(0), failure('EINVAL', 'mmap', 'data'));
  t.equal(other.map(2 ** 30).length, 2 ** 30);
  other.close();
  t.end();
});

t.test('close: twice, during a background read, and then refusal', async (t) => {
  const disk = new HostDisk(scratch(t));
  const file = disk.open('data', 'create');
  const bytes = pattern(1 << 20);
  file.write(bytes, 0, bytes.length, 0);
  const back = new Uint8Array(bytes.length);
  const reading = file.readInBackground(back, 0, back.length, 0);
  const syncing = file.sync();
  file.close();
  file.close();
  // Would take the descriptor's number, were it free already.
  const other = disk.open('other', 'create');
  t.equal(await reading, back.length);
  await syncing;
  equalBytes(t, back, bytes);
  t.throws(() => file.size(), failure('EBADF', 'fstat', 'data'));
  t.throws(() => file.read(back, 0, 1, 0), failure('EBADF', 'pread', 'data'));
  t.throws(() => file.truncate(0), failure('EBADF', 'ftruncate', 'data'));
  await t.rejects(file.sync(), failure('EBADF', 'fdatasync', 'data'));
  other.write(bytes, 0, 1, 0);
  t.equal(other.size(), 1, 'another file of the same number is untouched');
  other.close();
});

t.test('the directory tree', (t) => {
  const directory = scratch(t);
  const disk = new HostDisk(directory);
  t.same(disk.list(''), []);
  disk.makeDirectory('blobs');
  disk.makeDirectory('blobs');
  disk.makeDirectory('blobs/0a');
  t.throws(() => disk.makeDirectory('none/0a'), failure('ENOENT', 'mkdir', 'none/0a'));
  t.throws(() => disk.open('blobs/0a/1', 'write'), failure('ENOENT', 'open', 'blobs/0a/1'));
  disk.open('blobs/0a/1', 'create').close();
  t.throws(() => disk.makeDirectory('blobs/0a/1'), failure('EEXIST', 'mkdir', 'blobs/0a/1'));
  t.same(disk.list('blobs/0a'), ['1']);
  t.equal(fs.statSync(path.join(directory, 'blobs/0a/1')).mode & 0o777, 0o600, 'for the owner only');
  t.same([disk.exists('blobs/0a/1'), disk.exists('blobs/0a'), disk.exists('blobs/0b/1')], [true, true, false]);
  const file = disk.open('blobs/0a/1', 'write');
  file.write(Uint8Array.of(1, 2, 3), 0, 3, 0);
  file.close();
  const emptied = disk.open('blobs/0a/1', 'create');
  t.equal(emptied.size(), 0, 'create empties');
  emptied.close();
  disk.syncDirectory('blobs/0a');
  disk.syncDirectory('');
  disk.remove('blobs/0a/1');
  disk.remove('blobs/0a/1');
  t.throws(() => disk.remove('blobs/0a'), failure('EISDIR', 'unlink', 'blobs/0a'));
  t.throws(() => disk.list('none'), failure('ENOENT', 'readdir', 'none'));
  t.throws(() => disk.syncDirectory('none'), failure('ENOENT', 'fsync', 'none'));
  t.end();
});

t.test('statistics are those of df', (t) => {
  const directory = scratch(t);
  const figures = new HostDisk(directory).statistics();
  const [blocks, files] = execFileSync('df', ['--output=size,itotal', '-B1', directory], { encoding: 'utf8' })
    .split('\n')[1]
    .trim()
    .split(/\s+/)
    .map(Number);
  t.equal(figures.blocks * figures.blockSize, blocks);
  t.equal(figures.files, files);
  t.ok(figures.blocksAvailable <= figures.blocksFree && figures.blocksFree <= figures.blocks);
  t.end();
});

t.test('a read-only disk refuses to write', (t) => {
  const directory = scratch(t);
  new HostDisk(directory).open('data', 'create').close();
  const disk = new HostDisk(directory, { readOnly: true });
  t.throws(() => disk.open('data', 'write'), failure('EROFS', 'open', 'data'));
  t.throws(() => disk.open('new', 'create'), failure('EROFS', 'open', 'new'));
  t.throws(() => disk.makeDirectory('new'), failure('EROFS', 'mkdir', 'new'));
  t.throws(() => disk.remove('data'), failure('EROFS', 'unlink', 'data'));
  const file = disk.open('data', 'read');
  t.throws(() => file.write(Uint8Array.of(1), 0, 1, 0), failure('EBADF', 'pwrite', 'data'));
  file.close();
  t.same(disk.list(''), ['data']);
  t.end();
});

const needsRoot = process.getuid?.() === 0 ? false : 'only root can mount';

t.test('a host without fallocate', { skip: needsRoot }, (t) => {
  const point = loopMounted(t, 'ext2', 8);
  const disk = new HostDisk(point);
  const file = disk.open('data', 'create');
  const bytes = pattern(20_000, 3);
  file.write(bytes, 0, bytes.length, 30_000);
  file.allocate(10_000, 100_000);
  t.equal(file.size(), 110_000);
  t.ok(file.allocatedBytes() >= 98_304, 'allocated');
  t.equal(file.seekHole(12_288), 110_000, 'without holes');
  const back = new Uint8Array(bytes.length);
  file.read(back, 0, back.length, 30_000);
  equalBytes(t, back, bytes, 'what was there stays');
  file.punch(35_000, 5000);
  bytes.fill(0, 5000, 10_000);
  file.read(back, 0, back.length, 30_000);
  equalBytes(t, back, bytes, 'punched: reads as zeros');
  file.punch(109_000, 50_000);
  t.equal(file.size(), 110_000, 'the size stays');
  t.throws(() => file.reserve(200_000, 4096), failure('EOPNOTSUPP', 'fallocate', 'data'));

  t.throws(() => file.allocate(0, 100 << 20), failure('ENOSPC', 'pwrite', 'data'));
  t.equal(file.size(), 110_000, 'a failed allocation leaves the size');
  t.ok(file.allocatedBytes() < 1 << 20, 'and gives back what it took');
  file.close();
  t.end();
});

t.test('a host without space', { skip: needsRoot }, (t) => {
  const point = loopMounted(t, 'ext4', 16);
  const disk = new HostDisk(point);
  const file = disk.open('data', 'create');
  file.write(pattern(5000), 0, 5000, 0);
  const free = disk.statistics().blocksFree;
  t.throws(() => file.allocate(0, 100 << 20), failure('ENOSPC', 'fallocate', 'data'));
  t.equal(file.size(), 5000);
  file.syncNow();
  t.ok(disk.statistics().blocksFree >= free - 64, 'what was taken is given back');
  const chunk = new Uint8Array(1 << 20);
  t.throws(
    () => {
      for (let i = 0; i < 100; i++) file.write(chunk, 0, chunk.length, i << 20);
    },
    failure('ENOSPC', 'pwrite', 'data'),
  );
  file.truncate(0);
  file.allocate(0, 1 << 20);
  t.equal(file.size(), 1 << 20, 'goes on once there is space');
  file.close();
  t.end();
});
