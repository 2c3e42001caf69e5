/**
 * The protocol on a real mount, with ordinary programs and single system calls as clients.
 */
import { constants } from 'node:os';
import t, { type Test } from 'tap';
import { resend } from '../../src/fuse/notify.js';
import { Session } from '../../src/fuse/session.js';
import { exchange } from '../../src/native/addon.js';
import { DiskError } from '../../src/store/disk.js';
import { asIno } from '../../src/store/units.js';
import { MemoryFileSystem } from './memory-file-system.js';
import { type ServedMount, serveMount } from './served-mount.js';

type Work = (mount: ServedMount, filesystem: MemoryFileSystem) => Promise<void>;

async function withMount(test: Test, work: Work, words = '', failures: string[] = []): Promise<void> {
  const filesystem = new MemoryFileSystem();
  const mount = await serveMount(test, filesystem, words);
  try {
    await work(mount, filesystem);
  } finally {
    test.same(await mount.unmount(), { reason: 'unmounted' });
    test.same(mount.failures, failures, 'failures logged');
  }
}

/** Runs a Python script in the mount: the shortest way to single system calls. */
const python = (mount: ServedMount, script: string): Promise<string> =>
  mount.shell(`python3 -I - <<'END'\nimport os, ctypes, errno, stat\n${script}\nEND\n`);

t.test('files, directories, links and special files', (t) =>
  withMount(t, async ({ shell }) => {
    t.equal(await shell('echo hello > a; cat a; stat -c "%s %F %a %h" a'), 'hello\n6 regular file 644 1\n');
    t.equal(await shell('mkdir -p d/e/f; rmdir d/e/f; ls -a d; stat -c %h d'), '.\n..\ne\n3\n');
    t.equal(await shell('ln a b; stat -c "%h %i" a b | uniq | wc -l; ln -s target s; readlink s'), '1\ntarget\n');
    t.equal(await shell('mv a d/x; cat d/x b; rm b; stat -c %h d/x'), 'hello\nhello\n1\n');
    t.equal(await shell('mkfifo p; stat -c %F p; mknod c c 300 70000; stat -c "%t %T" c'), 'fifo\n12c 11170\n');
    t.match(await shell('cat missing 2>&1 || true'), /No such file/);
    t.match(await shell('rmdir d 2>&1 || true'), /not empty/);
  }),
);

t.test('attributes', (t) =>
  withMount(t, async (mount) => {
    const { shell } = mount;
    t.equal(await shell('umask 027; touch f; mkdir d; stat -c %a f d'), '640\n750\n');
    t.equal(await shell('chmod 4755 f; stat -c %a f; chown 5:6 f; stat -c "%u %g %a" f'), '4755\n5 6 755\n');
    t.equal(await shell('touch -d "1901-02-03 04:05:06.123456789 UTC" f; stat -c %.9Y f'), '-2174586893.876543211\n');
    t.equal(await shell('truncate -s 12345 f; stat -c %s f; wc -c < f'), '12345\n12345\n');
    t.match(await shell('stat -c %W f'), /^[1-9]/, 'the time of creation is known');
    t.match(await shell('truncate -s 9007199254740993 f 2>&1 || true'), /File too large/);
    t.match(await shell('stat -f -c "%a %b %f %s" .'), /^500 1000 600 4096/);
  }),
);

t.test('writes of every size arrive, in both cache modes', async (t) => {
  for (const words of ['', 'writethrough']) {
    await withMount(
      t,
      async ({ shell }) => {
        const made = await shell(
          'head -c 5000003 /dev/urandom | tee f | sha256sum; dd if=f of=g bs=333 2>&1 | tail -0',
        );
        t.equal(await shell('sha256sum < f'), made, words);
        t.equal(await shell('sha256sum < g'), made, words);
        await shell(
          'head -c 4194304 f > i; dd if=i of=j bs=1M oflag=direct 2>/dev/null; dd if=j bs=1M iflag=direct | cmp - i',
        );
        t.equal(await shell('cp f h; cat f >> h; echo end >> h; wc -c < h; tail -c 4 h'), '10000010\nend\n');
      },
      words,
    );
  }
});

t.test('extended attributes', (t) =>
  withMount(t, async (mount) => {
    const out = await python(
      mount,
      `
open('f', 'w').close()
os.setxattr('f', 'user.a', b'one')
os.setxattr('f', 'user.b', b'x' * 60000)
print(sorted(os.listxattr('f')), os.getxattr('f', 'user.a'), len(os.getxattr('f', 'user.b')))
os.removexattr('f', 'user.a')
try: os.getxattr('f', 'user.a')
except OSError as e: print(errno.errorcode[e.errno])
`,
    );
    t.equal(out, "['user.a', 'user.b'] b'one' 60000\nENODATA\n");
  }),
);

t.test('rename with flags, unnamed files, space, copies', (t) =>
  withMount(t, async (mount) => {
    const out = await python(
      mount,
      `
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags):
    r = libc.renameat2(-100, a, -100, b, flags)
    return 0 if r == 0 else errno.errorcode[ctypes.get_errno()]
open('a', 'w').write('a'); open('b', 'w').write('b')
print(rename(b'a', b'b', 1), rename(b'a', b'b', 2), open('a').read(), rename(b'a', b'c', 1))
f = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600)
os.write(f, b'named later')
libc.linkat(-100, f'/proc/self/fd/{f}'.encode(), -100, b'tmp', 0x400)
print(open('tmp').read(), os.stat('tmp').st_nlink)
f = os.open('space', os.O_CREAT | os.O_RDWR)
os.posix_fallocate(f, 0, 10000)
print(os.fstat(f).st_size, os.pwrite(f, b'x' * 10, 5000), os.pread(f, 3, 5000))
g = os.open('copy', os.O_CREAT | os.O_RDWR)
print(os.copy_file_range(f, g, 6000, 4500, 100), os.fstat(g).st_size, os.pread(g, 12, 599))
os.fsync(f)
d = os.open('.', os.O_RDONLY); os.fsync(d)
`,
    );
    t.equal(out, "EEXIST 0 b 0\nnamed later 1\n10000 10 b'xxx'\n5500 5600 b'\\x00xxxxxxxxxx\\x00'\n");
  }),
);

t.test('holes are looked for in what was written, not only in what was written back', (t) =>
  withMount(t, async (mount) => {
    const out = await python(
      mount,
      `
f = os.open('dirty', os.O_CREAT | os.O_RDWR)
os.write(f, b'x' * 10000)
print(os.lseek(f, 0, os.SEEK_DATA), os.lseek(f, 0, os.SEEK_HOLE), os.pread(f, 2, 9998))
try: os.lseek(f, 20000, os.SEEK_DATA)
except OSError as e: print(errno.errorcode[e.errno])
`,
    );
    t.equal(out, "0 10000 b'xx'\nENXIO\n");
  }),
);

t.test('many at once look for holes in what they have just written', (t) =>
  withMount(t, async (mount) => {
    const out = await python(
      mount,
      `
import threading
def work(name):
    f = os.open(name, os.O_CREAT | os.O_RDWR)
    for i in range(20):
        os.pwrite(f, b'x' * 5000, i * 5000)
        assert os.lseek(f, i * 5000, os.SEEK_DATA) == i * 5000
        assert os.lseek(f, 0, os.SEEK_HOLE) == (i + 1) * 5000
    found.append(name)
found = []
threads = [threading.Thread(target=work, args=(f'f{i}',)) for i in range(12)]
for t in threads: t.start()
for t in threads: t.join()
print(len(found))
`,
    );
    t.equal(out, '12\n');
  }),
);

t.test('a large directory is listed whole, and stays so while it changes', (t) =>
  withMount(t, async ({ shell, session }) => {
    t.equal(
      await shell('seq -f file%.0f 3000 | xargs touch; ls | wc -l; ls -l | wc -l; find . -type f | wc -l'),
      '3000\n3001\n3000\n',
    );
    t.equal(await shell('rm file1 file2; ls -f | wc -l; ls | sort | uniq -d | wc -l'), '3000\n0\n');
    t.ok(session.trace.report().READDIRPLUS! > 0);
  }),
);

t.test('an unlinked file lives until its last user is gone, and no longer', (t) =>
  withMount(t, async (mount, filesystem) => {
    const out = await python(
      mount,
      `
f = os.open('f', os.O_CREAT | os.O_RDWR)
os.write(f, b'still here'); os.fsync(f)
os.unlink('f')
os.mkdir('d'); os.rmdir('d')
print(os.pread(f, 10, 0), os.fstat(f).st_nlink)
`,
    );
    t.equal(out, "b'still here' 0\n");
    while (filesystem.forgotten.length < 2) {
      await mount.shell('true');
    }
    t.same([...filesystem.nodes.keys()], [1], 'both inodes are gone');
  }),
);

t.test('file handles lead back to inodes that the kernel has dropped, until those are gone', (t) =>
  withMount(t, async (mount) => {
    const out = await python(
      mount,
      `
libc = ctypes.CDLL(None, use_errno=True)
def handle(path):
    h = ctypes.create_string_buffer((128).to_bytes(4, 'little'), 136)
    assert libc.name_to_handle_at(-100, path, h, ctypes.byref(ctypes.c_int()), 0) == 0
    return h
os.makedirs('d/e'); open('d/e/f', 'w').write('found again')
handles = [handle(b'd/e/f'), handle(b'd/e')]
open('/proc/sys/vm/drop_caches', 'w').write('2')
mount = os.open('.', os.O_RDONLY)
f, e = [libc.open_by_handle_at(mount, h, os.O_RDONLY) for h in handles]
print(os.read(f, 20), os.listdir(e))
os.close(f); os.close(e); os.unlink('d/e/f')
print(libc.open_by_handle_at(mount, handles[0], os.O_RDONLY), errno.errorcode[ctypes.get_errno()])
`,
    );
    t.equal(out, "b'found again' ['f']\n-1 ESTALE\n");
  }),
);

t.test('ordinary users are checked by the kernel', (t) =>
  withMount(t, async ({ shell }) => {
    const asUser = 'setpriv --reuid 1234 --regid 1234 --clear-groups';
    t.equal(await shell(`mkdir -m 1777 open; ${asUser} touch open/mine; stat -c "%u %g" open/mine`), '1234 1234\n');
    t.match(await shell(`echo x > secret; chmod 600 secret; ${asUser} cat secret 2>&1 || true`), /Permission denied/);
    t.match(await shell(`${asUser} touch new 2>&1 || true`), /Permission denied/);
    t.match(await shell(`touch open/root; ${asUser} rm -f open/root 2>&1 || true`), /not permitted/);
  }),
);

t.test('replies wait for the commit of their change, while other requests are served', (t) =>
  withMount(t, async ({ shell }, filesystem) => {
    let commit: () => void = () => undefined;
    const begun = new Promise<void>((begin) => {
      filesystem.commit = () => {
        begin();
        return new Promise((resolve) => {
          commit = resolve;
        });
      };
    });
    let isDone = false;
    const made = shell('mkdir d').then(() => {
      isDone = true;
    });
    await begun;
    t.equal(await shell('ls -d .'), '.\n');
    t.equal(isDone, false);
    commit();
    await made;
  }),
);

t.test('a commit that fails is the error of its change', (t) =>
  withMount(
    t,
    async ({ shell }, filesystem) => {
      filesystem.commit = () => Promise.reject(new DiskError('EIO', 'fdatasync', 'wal/1'));
      await t.rejects(shell('mkdir d'), /Input\/output error/);
      filesystem.commit = () => Promise.reject(new DiskError('ENOSPC', 'fallocate', 'wal/2'));
      await t.rejects(shell('mkdir e'), /No space left/);
    },
    '',
    ['fdatasync wal/1: EIO', 'fallocate wal/2: ENOSPC'],
  ),
);

t.test('a read that waits for the disk holds nobody else up', (t) =>
  withMount(t, async ({ shell }, filesystem) => {
    await shell(
      'head -c 300000 /dev/urandom > f; cp f /dev/shm/razorfs-fuse-expected; echo 3 > /proc/sys/vm/drop_caches',
    );
    let release: () => void = () => undefined;
    const begun = new Promise<void>((begin) => {
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      filesystem.beforeRead = () => {
        begin();
        return gate;
      };
    });
    const compared = shell('cmp f /dev/shm/razorfs-fuse-expected; rm /dev/shm/razorfs-fuse-expected');
    await begun;
    t.equal(await shell('mkdir d; ls'), 'd\nf\n');
    release();
    await compared;
  }),
);

t.test('another session takes over, and gets what the first one had left unanswered', async (t) => {
  const filesystem = new MemoryFileSystem();
  const mount = await serveMount(t, filesystem);
  const work = mount.shell(
    'exec 3> f; echo one >&3; ls > /dev/null; echo ready > state; mkdir d; echo two >&3; exec 3>&-; cat f',
  );
  while ((filesystem.nodes.get(asIno(1))?.entries.has('state') ?? false) === false) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.same(await mount.session.stop(), { reason: 'stopped' });

  // A process that reads a request and dies.
  const request = new Uint8Array((1 << 20) + 4096);
  const lost = exchange(mount.fd, request, 0, request, 1_000_000);
  t.ok(lost > 40, 'a request was read and not answered');

  const second = new Session({
    fd: mount.fd,
    filesystem,
    initialised: true,
    writebackCache: true,
    log: { error: (_details, message) => mount.failures.push(message) },
  });
  let sentAgain = '';
  second.trace.line = (line) => {
    sentAgain ||= line.includes('sent again') ? line : '';
  };
  second.start();
  await second.ready;
  t.equal(await second.notify(resend()), 0);
  t.equal(await work, 'one\ntwo\n');
  t.match(sentAgain, /sent again/);
  t.same(await mount.unmount(second), { reason: 'unmounted' });
  t.same(mount.failures, []);
});

t.test('a connection that is aborted ends the session', async (t) => {
  const mount = await serveMount(t, new MemoryFileSystem());
  await mount.shell(`
    connection=$(stat -c %d .); control=$(mktemp -d); mount -t fusectl none "$control"
    echo 1 > "$control/$connection/abort"; umount "$control"; rmdir "$control"`);
  t.same(await mount.session.ended, { reason: 'unmounted' });
  t.same(await mount.unmount(), { reason: 'unmounted' });
  t.equal(await mount.session.notify(resend()), constants.errno.ENODEV);
});
