/**
 * Clones of ranges on small loop-mounted file systems, with reflinks and without.
 */
import t from 'tap';
import { HostDisk } from '../../src/store/host-disk.js';
import { noLoopDisk } from '../mounted/loop-disk.js';
import { equalBytes, failure, loopMounted, pattern, scratch } from './scratch.js';

const NOTHING_CLONED = { from: 200_000, to: 200_000 };

for (const type of ['btrfs', 'xfs'] as const) {
  t.test(`clones of ranges on ${type}`, { skip: noLoopDisk(type) }, async (t) => {
    const point = loopMounted(t, type, 512);
    const disk = new HostDisk(point);
    const source = disk.open('source', 'create');
    const bytes = pattern(300_000, 5);
    source.write(bytes, 0, bytes.length, 0);
    source.punch(131_072, 65_536);
    bytes.fill(0, 131_072, 196_608);
    await source.sync();
    const file = disk.open('file', 'create');
    const back = new Uint8Array(300_000);
    t.same(file.cloneFrom(source, { from: 10_000, to: 200_000 }), { from: 12_288, to: 196_608 }, 'whole blocks');
    t.equal(file.size(), 196_608, 'the size grows as with a write');
    file.read(back, 0, 12_288, 0);
    t.ok(
      back.subarray(0, 12_288).every((byte) => byte === 0),
      'nothing before them',
    );
    file.read(back, 0, 184_320, 12_288);
    equalBytes(t, back.subarray(0, 184_320), bytes.subarray(12_288, 196_608));
    t.equal(file.seekHole(65_536), 131_072, 'a hole is a hole');

    file.write(pattern(100, 9), 0, 100, 20_000);
    source.read(back, 0, 100, 20_000);
    equalBytes(t, back.subarray(0, 100), bytes.subarray(20_000, 20_100), 'the source stays');
    source.write(pattern(100, 11), 0, 100, 40_000);
    file.read(back, 0, 100, 40_000);
    equalBytes(t, back.subarray(0, 100), bytes.subarray(40_000, 40_100), 'and so does the clone');

    t.same(file.cloneFrom(source, { from: 262_144, to: 327_680 }), { from: 262_144, to: 299_008 }, 'up to the end');
    t.equal(file.size(), 299_008);
    t.same(
      file.cloneFrom(source, { from: 299_100, to: 327_680 }),
      { from: 327_680, to: 327_680 },
      'its last bytes not',
    );
    t.same(
      file.cloneFrom(source, { from: 400_000, to: 500_000 }),
      { from: 500_000, to: 500_000 },
      'nor what is past it',
    );
    t.same(file.cloneFrom(source, { from: 4096, to: 4096 }), { from: 4096, to: 4096 }, 'nothing of nothing');
    t.equal(file.size(), 299_008);
    await file.sync();

    const closed = disk.open('source', 'read');
    closed.close();
    t.throws(() => file.cloneFrom(closed, { from: 0, to: 65_536 }), failure('EBADF', 'fstat', 'source'));
    const readOnly = disk.open('file', 'read');
    t.throws(
      () => readOnly.cloneFrom(source, { from: 0, to: 65_536 }),
      failure('EBADF', 'ioctl_ficlonerange', 'file'),
      'a failure is none of the answers that mean no',
    );
    readOnly.close();
    const elsewhere = new HostDisk(scratch(t)).open('other', 'create');
    elsewhere.write(bytes, 0, bytes.length, 0);
    t.same(file.cloneFrom(elsewhere, { from: 0, to: 200_000 }), NOTHING_CLONED, 'of another file system');
    t.same(file.cloneFrom(source, { from: 0, to: 200_000 }), NOTHING_CLONED, 'a host that refused is not asked again');
    for (const opened of [file, source, elsewhere]) opened.close();
  });
}

t.test('a host without reflinks clones nothing', { skip: noLoopDisk('ext4') }, (t) => {
  const disk = new HostDisk(loopMounted(t, 'ext4', 16));
  const [source, file] = ['source', 'file'].map((name) => disk.open(name, 'create'));
  source.write(pattern(200_000), 0, 200_000, 0);
  for (let attempt = 0; attempt < 2; attempt++) {
    t.same(file.cloneFrom(source, { from: 0, to: 200_000 }), NOTHING_CLONED);
    t.equal(file.size(), 0);
  }
  for (const opened of [file, source]) opened.close();
  t.end();
});
