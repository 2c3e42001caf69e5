/**
 * Mounting and unmounting: what is refused, and what the kernel is told. These mounts are not served.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { mountFuse } from '../../src/fuse/device.js';
import { type MountOptions, parseMountOptions } from '../../src/fuse/mount-options.js';
import { unmount } from '../../src/fuse/unmount.js';
import { mount } from '../../src/native/addon.js';

/** An empty directory for a mount, within one that is not. */
function place(test: Test): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'razorfs-device-'));
  const mountPoint = path.join(directory, 'mount point');
  mkdirSync(mountPoint);
  writeFileSync(path.join(directory, 'file'), '');
  test.teardown(() => {
    try {
      unmount(mountPoint, true);
    } catch {
      // It is not mounted, as it should be.
    }
    rmSync(directory, { recursive: true });
  });
  return mountPoint;
}

const isRoot = process.getuid?.() === 0;

function mounted(mountPoint: string): string[] | undefined {
  const line = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .find((line) => line.includes(mountPoint.replaceAll(' ', '\\040')));
  return line?.split(' ');
}

t.test('what cannot be mounted on is named, with what to do', (t) => {
  const mountPoint = place(t);
  const directory = path.dirname(mountPoint);
  const options = parseMountOptions('');
  const refused = (path: string, expected: { code: string; message: RegExp; advice?: RegExp }) =>
    t.throws(() => mountFuse(path, 'test', options), expected);
  refused(path.join(directory, 'missing'), { code: 'mount-point', message: /does not exist/, advice: /mkdir -p/ });
  refused(path.join(directory, 'file'), { code: 'mount-point', message: /not a directory/ });
  refused(path.join(directory, 'file/below'), { code: 'mount-point', message: /not a directory/ });
  refused(directory, { code: 'not-empty', message: /not empty/, advice: /nonempty/ });
  symlinkSync('circle', path.join(directory, 'circle'));
  refused(path.join(directory, 'circle'), { code: 'mount-point', message: /cannot be used/ });
  t.throws(() => unmount(mountPoint), { code: 'not-mounted', message: /Nothing is mounted/ });
  t.end();
});

t.test('the kernel is told the options', { skip: !isRoot && 'needs root' }, (t) => {
  const mountPoint = place(t);
  const mountWith = (words: string, changes: Partial<MountOptions> = {}): string => {
    const fd = mountFuse(mountPoint, '/a/store', { ...parseMountOptions(words), ...changes });
    const [source, , type, options] = mounted(mountPoint)!;
    unmount(mountPoint);
    closeSync(fd);
    t.equal(mounted(mountPoint), undefined);
    return [source, type, options].join(' ');
  };
  const always = 'user_id=0,group_id=0,default_permissions';
  t.equal(mountWith(''), `/a/store fuse.razorfs rw,relatime,${always},allow_other,max_read=524288`);
  t.equal(mountWith('noallow_other,strictatime'), `/a/store fuse.razorfs rw,${always},max_read=524288`);
  t.equal(
    mountWith('ro,nosuid,nodev,noexec,noatime,nodiratime,sync,dirsync,fsname=mine,max_read=65536'),
    `mine fuse.razorfs ro,sync,dirsync,nosuid,nodev,noexec,noatime,nodiratime,${always},allow_other,max_read=65536`,
  );
  t.end();
});

t.test('a mount whose process is gone is recognised, and can be cleared', { skip: !isRoot && 'needs root' }, (t) => {
  const mountPoint = place(t);
  closeSync(mountFuse(mountPoint, 'test', parseMountOptions('')));
  t.throws(() => mountFuse(mountPoint, 'test', parseMountOptions('')), {
    code: 'dead-mount',
    message: /serving process is gone/,
    advice: `Clear it with: umount -l '${mountPoint}'`,
  });
  unmount(mountPoint, true);
  t.throws(() => unmount(mountPoint), { code: 'not-mounted' });
  t.end();
});

t.test('a mount in use is not taken away', { skip: !isRoot && 'needs root' }, (t) => {
  const mountPoint = place(t);
  t.equal(mount('none', mountPoint, 'tmpfs', 0, ''), 0);
  const fd = openSync(path.join(mountPoint, 'open'), 'w');
  t.throws(() => unmount(mountPoint), { code: 'busy', message: /is in use/, advice: /fuser -vm '.*mount point'/ });
  closeSync(fd);
  unmount(mountPoint);
  t.end();
});
