/**
 * Detection of stores in memory, on the host's own mounts and on one overlay made by the test.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { nearestExisting, upperDirectory, volatileKind } from '../../src/store/volatile.js';

const root = process.getuid?.() === 0;

t.test('the nearest existing place', (t) => {
  const base = fs.realpathSync(t.testdir({ directory: {}, file: 'x' }));
  t.equal(nearestExisting(`${base}/directory`), `${base}/directory`);
  t.equal(nearestExisting(`${base}/directory/a/b/c`), `${base}/directory`);
  t.equal(nearestExisting(`${base}/file/a`), `${base}/file`);
  fs.symlinkSync('directory/not/yet', `${base}/dangling`);
  t.equal(nearestExisting(`${base}/dangling`), `${base}/directory`, 'a symlink is followed to where it will lead');
  fs.symlinkSync('/nowhere/at/all', `${base}/absolute`);
  t.equal(nearestExisting(`${base}/absolute`), '/');
  fs.symlinkSync('loop', `${base}/loop`);
  t.equal(nearestExisting(`${base}/loop`), base, 'a loop ends');
  t.end();
});

t.test('tmpfs, ramfs, and a disk', { skip: !root && 'only root can mount' }, (t) => {
  const base = fs.mkdtempSync(path.join(tmpdir(), 'razorfs-volatile-'));
  t.teardown(() => fs.rmSync(base, { recursive: true }));
  const image = `${base}/image`;
  fs.writeFileSync(image, '');
  fs.truncateSync(image, 4 << 20);
  execFileSync('mkfs.ext2', ['-q', '-F', image]);
  for (const [type, source, expected] of [
    ['tmpfs', 'none', 'tmpfs'],
    ['ramfs', 'none', 'ramfs'],
    ['ext2', image, undefined],
  ] as const) {
    const point = `${base}/${type}`;
    fs.mkdirSync(point);
    execFileSync('mount', ['-t', type, ...(type === 'ext2' ? ['-o', 'loop'] : []), source, point]);
    try {
      t.equal(volatileKind(point), expected, type);
      t.equal(volatileKind(`${point}/store/not/yet`), expected, `${type}, not made yet`);
      fs.symlinkSync(`${point}/elsewhere`, `${base}/${type}-link`);
      t.equal(volatileKind(`${base}/${type}-link`), expected, `${type}, through a symlink`);
    } finally {
      execFileSync('umount', [point]);
    }
  }
  t.end();
});

t.test('an overlay counts as its upper layer', { skip: !root && 'only root can mount' }, (t) => {
  const base = fs.mkdtempSync(path.join(tmpdir(), 'razorfs-volatile-'));
  t.teardown(() => fs.rmSync(base, { recursive: true }));
  const memory = `${base}/in memory`;
  for (const directory of [memory, `${base}/lower`, `${base}/merged`]) fs.mkdirSync(directory);
  execFileSync('mount', ['-t', 'tmpfs', 'none', memory]);
  t.teardown(() => execFileSync('umount', [memory]));
  fs.mkdirSync(`${memory}/upper`);
  fs.mkdirSync(`${memory}/work`);
  const options = `lowerdir=${base}/lower,upperdir=${memory}/upper,workdir=${memory}/work`;
  if (spawnSync('mount', ['-t', 'overlay', 'none', '-o', options, `${base}/merged`]).status !== 0) {
    t.comment('this kernel has no overlays');
  } else {
    t.teardown(() => execFileSync('umount', [`${base}/merged`]));
    t.equal(volatileKind(`${base}/merged/store`), 'tmpfs');
  }
  t.end();
});

t.test('the upper layer in mountinfo', (t) => {
  const mountinfo = [
    '22 28 0:21 / /proc rw,nosuid - proc proc rw',
    '28 1 0:25 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/ro,upperdir=/cow/upper,workdir=/cow/work',
    '41 28 0:26 / /a\\040b rw - overlay none rw,lowerdir=/x\\054y,upperdir=/run/with\\040blank,workdir=/w',
    '42 28 0:27 / /ro rw - overlay none ro,lowerdir=/a:/b',
    '43 28 259:3 / /disk rw - ext4 /dev/nvme0n1p3 rw',
    '',
  ].join('\n');
  t.equal(upperDirectory(mountinfo, 25), '/cow/upper');
  t.equal(upperDirectory(mountinfo, 26), '/run/with blank');
  t.equal(upperDirectory(mountinfo, 27), undefined, 'a read-only overlay has none');
  t.equal(upperDirectory(mountinfo, 259 * 256 + 3), undefined);
  t.equal(upperDirectory(mountinfo, 99), undefined);
  t.equal(upperDirectory('', 25), undefined);
  const large = '50 28 0:300 / /m rw - overlay none rw,upperdir=/u';
  t.equal(upperDirectory(large, (300 & 0xff) + (300 >> 8) * 2 ** 20), '/u', 'minor numbers above 255');
  t.end();
});
