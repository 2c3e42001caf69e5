/**
 * The protocol on a real mount, with the ordinary programs as clients.
 */
import t, { type Test } from 'tap';
import { MemoryFileSystem } from './memory-file-system.js';
import { type ServedMount, serveMount } from './served-mount.js';

async function withMount(
  test: Test,
  work: (mount: ServedMount, filesystem: MemoryFileSystem) => Promise<void>,
  words = '',
): Promise<void> {
  const filesystem = new MemoryFileSystem();
  const mount = await serveMount(filesystem, words);
  try {
    await work(mount, filesystem);
  } finally {
    const end = await mount.unmount();
    test.match(end, { reason: 'unmounted' });
    test.same(mount.failures, []);
  }
}

t.test('files and directories', (t) =>
  withMount(t, async ({ shell }) => {
    t.equal(await shell('echo hello > a; cat a; stat -c "%s %F %a %h" a'), 'hello\n6 regular file 644 1\n');
    t.equal(await shell('mkdir -p d/e/f; rmdir d/e/f; ls -a d; stat -c %h d'), '.\n..\ne\n3\n');
    t.equal(await shell('ln a b; stat -c "%h %i" a b | uniq | wc -l; ln -s target s; readlink s'), '1\ntarget\n');
    t.equal(await shell('mv a d/x; cat d/x b; rm b; stat -c %h d/x'), 'hello\nhello\n1\n');
    t.equal(
      await shell('mkfifo p; mknod c c 300 70000; stat -c "%F %t %T" p c'),
      'fifo 0 0\ncharacter special file 12c 11170\n',
    );
    t.match(await shell('cat missing 2>&1 || true'), /No such file/);
    t.match(await shell('rmdir d 2>&1 || true'), /not empty/);
  }),
);
