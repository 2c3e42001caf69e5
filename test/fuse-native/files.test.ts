/**
 * What libfuse's paths could get wrong, on a mount over fuse-native: names of one file, files without a name, directories that move,
 * attributes, times, errors.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import t from 'tap';
import { MountedStore, succeed } from '../mounted/mounted-store.js';
import { OVER_FUSE_NATIVE, unavailable } from './availability.js';

const KIB = 1024;

t.test('files on a mount over fuse-native', { skip: unavailable }, async (t) => {
  const mounted = new MountedStore(t);
  const at = (name: string): string => mounted.path(name);
  await mounted.mounted(OVER_FUSE_NATIVE);

  await t.test('what is written by one name is there by the other at once', async (t) => {
    writeFileSync(at('one'), 'first ');
    linkSync(at('one'), at('other'));
    t.equal(statSync(at('other')).nlink, 2);
    appendFileSync(at('one'), 'second');
    t.equal(readFileSync(at('other'), 'utf8'), 'first second');
    unlinkSync(at('one'));
    t.equal(statSync(at('other')).nlink, 1);
  });

  await t.test('a file that is removed while it is open stays until it is closed', async (t) => {
    const before = statfsSync(mounted.mountPoint).ffree;
    const fd = openSync(at('removed'), 'w+');
    writeSync(fd, 'still here');
    unlinkSync(at('removed'));
    t.notOk(existsSync(at('removed')));
    const into = Buffer.alloc(KIB);
    t.equal(readSync(fd, into, 0, KIB, 0), 10);
    ftruncateSync(fd, 5);
    t.equal(readSync(fd, into, 0, KIB, 0), 5);
    closeSync(fd);
    writeFileSync(at('replacing'), 'new');
    const replaced = openSync(at('other'), 'r');
    renameSync(at('replacing'), at('other'));
    t.equal(readFileSync(replaced, 'utf8'), 'first second');
    closeSync(replaced);
    t.equal(readFileSync(at('other'), 'utf8'), 'new');
    t.ok(before > 0);
    t.same(readdirSync(mounted.mountPoint), ['other'], 'no hidden file is left');
  });

  await t.test('the paths of directories that moved lead to them', async (t) => {
    mkdirSync(at('a/b/c'), { recursive: true });
    writeFileSync(at('a/b/c/file'), 'of the first');
    renameSync(at('a'), at('moved'));
    mkdirSync(at('a/b/c'), { recursive: true });
    writeFileSync(at('a/b/c/file'), 'of the second');
    t.equal(readFileSync(at('moved/b/c/file'), 'utf8'), 'of the first');
    rmSync(at('moved/b/c/file'));
    rmdirSync(at('moved/b/c'));
    renameSync(at('a/b/c'), at('moved/b/c'));
    t.equal(readFileSync(at('moved/b/c/file'), 'utf8'), 'of the second');
    t.throws(() => readFileSync(at('a/b/c/file')), { code: 'ENOENT' });
    rmSync(at('a'), { recursive: true });
    writeFileSync(at('a'), 'a file now');
    t.throws(() => readFileSync(at('a/b')), { code: 'ENOTDIR' });
    t.equal(readFileSync(at('a'), 'utf8'), 'a file now');
  });

  await t.test('sizes, owners, times, symlinks', async (t) => {
    writeFileSync(at('sized'), Buffer.alloc(300 * KIB, 7));
    truncateSync(at('sized'), 200 * KIB + 1);
    t.equal(readFileSync(at('sized')).length, 200 * KIB + 1);
    truncateSync(at('sized'), 400 * KIB);
    t.ok(
      readFileSync(at('sized'))
        .subarray(200 * KIB + 1)
        .every((byte) => byte === 0),
    );
    utimesSync(at('sized'), 1000.5, 2000.25);
    const { atimeMs, mtimeMs } = statSync(at('sized'));
    t.same([atimeMs, mtimeMs], [1_000_500, 2_000_250], 'each time is its own');
    if (process.getuid?.() === 0) {
      lchownSync(at('sized'), 12, 34);
      const { uid, gid } = statSync(at('sized'));
      t.same([uid, gid], [12, 34]);
    }
    symlinkSync('somewhere/é', at('symlink'));
    t.equal(readlinkSync(at('symlink')), 'somewhere/é');
  });

  await t.test('extended attributes, and room for them', async () => {
    writeFileSync(at('attributed'), '');
    const program = `
import errno, os, sys
path = sys.argv[1]
large = bytes(range(256)) * 200
os.setxattr(path, 'user.large', large)
os.setxattr(path, 'user.empty', b'')
assert os.getxattr(path, 'user.large') == large and os.getxattr(path, 'user.empty') == b''
assert sorted(os.listxattr(path)) == ['user.empty', 'user.large']
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(16)
for length in (libc.getxattr(path.encode(), b'user.large', room, 16), libc.listxattr(path.encode(), room, 8)):
    assert length == -1 and ctypes.get_errno() == errno.ERANGE, length
os.removexattr(path, 'user.large')
assert os.listxattr(path) == ['user.empty']
def refused(number, action, *words):
    try:
        action(*words)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError('not refused')
refused(errno.ENODATA, os.getxattr, path, 'user.large')
refused(errno.EEXIST, os.setxattr, path, 'user.empty', b'', os.XATTR_CREATE)
refused(errno.EILSEQ, os.mkdir, os.path.dirname(path).encode() + b'/not UTF-8 \\xff')
`;
    await succeed('python3', ['-c', program, at('attributed')]);
  });

  await t.test('a directory of thousands is listed whole, with types', async (t) => {
    mkdirSync(at('many/directory'), { recursive: true });
    for (let number = 0; number < 1500; number++) {
      writeFileSync(at(`many/${'name'.repeat(20)}-${number}`), '');
    }
    const entries = readdirSync(at('many'), { withFileTypes: true });
    t.equal(new Set(entries.map(({ name }) => name)).size, 1501);
    t.same(
      entries.filter((entry) => entry.isDirectory()).map(({ name }) => name),
      ['directory'],
    );
  });

  await t.test('many at once', async () => {
    await Promise.all(
      Array.from({ length: 8 }, (_, worker) => {
        const script = `for i in $(seq 100); do echo $i > w${worker}-$i && cat w${worker}-$i && mv w${worker}-$i x && rm x; done`;
        mkdirSync(at(`worker-${worker}`));
        return succeed('sh', ['-ec', script], at(`worker-${worker}`));
      }),
    );
  });

  await mounted.unmounted();
  await mounted.checked();
});
