/**
 * Reading /proc/self/mountinfo: escapes, other file systems, lines that are not mounts.
 */
import t from 'tap';
import { mounts, parseMountInfo } from '../../src/mount/mount-table.js';

const LINES = [
  '22 1 254:1 / / rw,relatime - ext4 /dev/root rw',
  String.raw`61 22 0:45 /sub\040dir /mnt/a\040b\011c\134d rw,nosuid shared:5 master:2 - fuse.razorfs /var/lib/my\040store rw,user_id=0`,
  String.raw`62 22 0:46 / /mnt/\303\251t\303\251 ro - fuse.razorfs /s ro`,
  'nonsense',
  '',
].join('\n');

t.test('takes mounts apart', async (t) => {
  const [root, spaces, accents, ...rest] = parseMountInfo(LINES);
  t.match(root, { mountPoint: '/', type: 'ext4', source: '/dev/root', device: '254:1' });
  t.match(spaces, {
    mountPoint: '/mnt/a b\tc\\d',
    root: '/sub dir',
    type: 'fuse.razorfs',
    source: '/var/lib/my store',
  });
  t.same(spaces?.options, ['rw', 'nosuid', 'rw', 'user_id=0']);
  t.equal(accents?.mountPoint, '/mnt/été');
  t.same(rest, []);
});

t.test('reads unescaped UTF-8, as the kernel writes it', async (t) => {
  const line = Buffer.from('62 22 0:46 / /mnt/été ro - fuse.razorfs /s ro').toString('latin1');
  t.equal(parseMountInfo(line)[0]?.mountPoint, '/mnt/été');
});

t.test('finds the root of this machine', async (t) => {
  t.ok(mounts().some((entry) => entry.mountPoint === '/'));
});
