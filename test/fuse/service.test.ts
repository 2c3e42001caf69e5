/**
 * Single requests and their answers, byte by byte where the protocol has traps.
 */
import { constants } from 'node:os';
import t from 'tap';
import { FUSE_HAS_RESEND_FLAG2, FUSE_WRITEBACK_CACHE, Opcode } from '../../src/fuse/abi.js';
import { asIno } from '../../src/store/units.js';
import { body, request, ServiceUnderTest } from './kernel-requests.js';
import { MemoryFileSystem } from './memory-file-system.js';

const { EFBIG, EINVAL, ENOSYS, ERANGE, ENODATA } = constants.errno;

t.test('INIT agrees on what both sides know', (t) => {
  const under = new ServiceUnderTest(new MemoryFileSystem());
  const init = (major: number, minor: number, flags: number, flags2: number) =>
    under.serve(request(Opcode.INIT, 0n, 2n, body(major, minor, 131_072, flags, flags2, Buffer.alloc(44))))!;

  const all = init(7, 45, -1, -1);
  t.equal(all.errno, 0);
  t.equal(all.payload.length, 64);
  t.same([all.payload.readUInt32LE(0), all.payload.readUInt32LE(4)], [7, 45]);
  t.ok(all.payload.readUInt32LE(12) & FUSE_WRITEBACK_CACHE);
  t.equal(all.payload.readUInt32LE(20), 1 << 20, 'max_write');
  t.equal(all.payload.readUInt16LE(28), 256, 'max_pages');
  t.equal(all.payload.readUInt32LE(32), FUSE_HAS_RESEND_FLAG2);

  t.equal(init(7, 99, -1, -1).payload.readUInt32LE(4), 45, 'a newer kernel speaks our version');
  t.equal(init(7, 31, 0, -1).payload.readUInt32LE(4), 31, 'an older kernel has its own');
  t.equal(init(7, 31, 0, -1).payload.readUInt32LE(32), 0, 'flags2 do not count without FUSE_INIT_EXT');
  t.equal(init(8, 0, 0, 0).payload.readUInt32LE(0), 7, 'a newer protocol is asked to come again');
  t.equal(under.refused, undefined);
  t.equal(init(7, 30, -1, 0).errno, EINVAL);
  t.match(under.refused, { code: 'no-fuse', message: /7\.30.*7\.31/ });
  t.end();
});

t.test('the unique number is echoed exactly, and told without the mark of a second sending', (t) => {
  const filesystem = new MemoryFileSystem();
  const seen: number[] = [];
  const makeDirectory = filesystem.makeDirectory.bind(filesystem);
  filesystem.makeDirectory = (parent, name, mode, caller, out) => {
    seen.push(caller.request);
    makeDirectory(parent, name, mode, caller, out);
  };
  const under = new ServiceUnderTest(filesystem);
  const uniques = [2n, 0x1_2345_6788n, (1n << 63n) | 0x1_2345_678an, (1n << 62n) | 6n];
  for (const [index, unique] of uniques.entries()) {
    t.equal(under.serve(request(Opcode.MKDIR, 1n, unique, body(0o755, 0, `d${index}\0`)))?.unique, unique);
  }
  t.same(seen, [2, 0x1_2345_6788, 0x1_2345_678a, 0], 'one that is no exact number is told as none');
  t.end();
});

t.test('a missing name is an entry of inode 0 that the kernel may keep', (t) => {
  const answer = new ServiceUnderTest(new MemoryFileSystem()).serve(request(Opcode.LOOKUP, 1n, 2n, body('none\0')))!;
  t.equal(answer.errno, 0);
  t.equal(answer.payload.length, 128);
  t.equal(answer.payload.readBigUInt64LE(0), 0n);
  t.ok(answer.payload.readBigUInt64LE(16) > 1_000_000n, 'entry_valid');
  t.end();
});

t.test('attributes keep their 64 bits and their sign', (t) => {
  const filesystem = new MemoryFileSystem();
  const under = new ServiceUnderTest(filesystem);
  Object.assign(filesystem.nodes.get(asIno(1))!.attributes, {
    mtimeSeconds: -3,
    mtimeNanoseconds: 5,
    ctimeSeconds: 2 ** 33 + 7,
    uid: 0xffff_fffe,
  });
  const { payload } = under.serve(request(Opcode.GETATTR, 1n, 2n, body(0, 0, 0n)))!;
  t.equal(payload.readBigInt64LE(16 + 32), -3n);
  t.equal(payload.readUInt32LE(16 + 52), 5);
  t.equal(payload.readBigInt64LE(16 + 40), 2n ** 33n + 7n);
  t.equal(payload.readUInt32LE(16 + 68), 0xffff_fffe);
  t.end();
});

t.test('what cannot be is refused with the right number', (t) => {
  const under = new ServiceUnderTest(new MemoryFileSystem());
  const errno = (opcode: number, node: bigint, content: Buffer) =>
    under.serve(request(opcode, node, 2n, content))?.errno;
  under.serve(request(Opcode.CREATE, 1n, 2n, body(0, 0o644, 0, 0, 'f\0')));
  under.serve(request(Opcode.SETXATTR, 2n, 2n, body(5, 0, 'user.a\0value')));

  t.equal(errno(Opcode.LOOKUP, 1n, body('no end')), EINVAL);
  t.equal(errno(Opcode.LOOKUP, 1n, body('\0\0')), EINVAL, 'an empty name');
  t.equal(errno(Opcode.RENAME, 1n, body(1n, 'a\0b')), EINVAL, 'a second name without an end');
  t.equal(errno(Opcode.WRITE, 2n, body(0n, 0n, 100, 0, 0n, 0, 0, 'short')), EINVAL);
  t.equal(errno(Opcode.WRITE, 2n, body(0n, 1n << 53n, 1, 0, 0n, 0, 0, 'x')), EFBIG);
  t.equal(errno(Opcode.WRITE, 2n, body(0n, (1n << 53n) - 1n, 1, 0, 0n, 0, 0, 'x')), EFBIG);
  t.equal(errno(Opcode.READ, 2n, body(0n, 0n, 2 << 20, 0, 0n, 0, 0)), EINVAL);
  t.equal(errno(Opcode.READDIR, 1n, body(0n, 0n, 8, 0, 0n, 0, 0)), EINVAL, 'no room for one entry');
  t.equal(errno(Opcode.GETATTR, 1n << 60n, body(0, 0, 0n)), EINVAL);
  t.equal(errno(Opcode.GETXATTR, 2n, body(4, 0, 'user.a\0')), ERANGE);
  t.equal(errno(Opcode.LISTXATTR, 2n, body(3, 0)), ERANGE);
  t.equal(errno(Opcode.GETXATTR, 2n, body(4, 0, 'user.b\0')), ENODATA);
  t.equal(errno(Opcode.SETXATTR, 2n, body(50, 0, 'user.a\0value')), EINVAL, 'a value that is not there');
  t.equal(errno(Opcode.SETATTR, 2n, body(1 << 3, 0, 0n, 1n << 53n, 0n, 0n, 0n, 0n, 0, 0, 0, 0, 0, 0, 0, 0)), EFBIG);
  t.equal(errno(Opcode.SETATTR, 2n, body(1 << 5, 0, 0n, 0n, 0n, 0n, 0n, 0n, 0, 1e9, 0, 0, 0, 0, 0, 0)), EINVAL);
  for (const opcode of [Opcode.OPEN, Opcode.OPENDIR, Opcode.FLUSH, Opcode.ACCESS, Opcode.INTERRUPT, 18_000]) {
    t.equal(errno(opcode, 1n, body(0n, 0n)), ENOSYS);
  }
  t.end();
});

t.test('a listing that does not fit goes on where it stopped', (t) => {
  const under = new ServiceUnderTest(new MemoryFileSystem());
  const names = Array.from({ length: 50 }, (_, index) => `file-${index}`);
  for (const name of names) {
    under.serve(request(Opcode.CREATE, 1n, 2n, body(0, 0o644, 0, 0, `${name}\0`)));
  }
  for (const [opcode, dirent] of [
    [Opcode.READDIR, 0],
    [Opcode.READDIRPLUS, 128],
  ] as const) {
    const listed: string[] = [];
    let cookie = 0n;
    for (;;) {
      const { payload } = under.serve(request(opcode, 1n, 2n, body(0n, cookie, 500, 0, 0n, 0, 0)))!;
      if (payload.length === 0) {
        break;
      }
      t.equal(payload.length % 8, 0);
      for (let at = 0; at < payload.length; ) {
        const length = payload.readUInt32LE(at + dirent + 16);
        cookie = payload.readBigUInt64LE(at + dirent + 8);
        const name = payload.toString('latin1', at + dirent + 24, at + dirent + 24 + length);
        if (dirent > 0) {
          t.equal(payload.readBigUInt64LE(at) === 0n, name === '.' || name === '..', 'nodeid');
        }
        listed.push(name);
        at += (dirent + 24 + length + 7) & ~7;
      }
    }
    t.same(listed, ['.', '..', ...names]);
  }
  t.end();
});

t.test('an unlinked file that may still be known is given up when the kernel says that it is not', async (t) => {
  const filesystem = new MemoryFileSystem();
  let isKnown = true;
  const under = new ServiceUnderTest(filesystem, {
    notify: async (notification) => {
      under.notifications.push(Buffer.from(notification));
      return isKnown ? 0 : constants.errno.ENOENT;
    },
  });
  under.serve(request(Opcode.CREATE, 1n, 2n, body(0, 0o644, 0, 0, 'f\0')));
  under.serve(request(Opcode.LOOKUP, 1n, 4n, body('f\0')));
  under.serve(request(Opcode.UNLINK, 1n, 6n, body('f\0')));
  // The FORGET of the first time that the kernel knew it, which comes late.
  under.serve(request(Opcode.FORGET, 2n, 8n, body(1n)));
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(under.notifications.length, 1);
  t.ok(filesystem.nodes.has(asIno(2)), 'it is in use');
  under.serve(request(Opcode.FORGET, 2n, 10n, body(1n)));
  t.same(filesystem.forgotten, [2], 'the last one needs no question');

  under.serve(request(Opcode.CREATE, 1n, 2n, body(0, 0o644, 0, 0, 'g\0')));
  under.serve(request(Opcode.UNLINK, 1n, 6n, body('g\0')));
  isKnown = false;
  under.service.references.handedOut(asIno(3 + (1 << 20)));
  under.serve(request(Opcode.FORGET, 3n, 8n, body(1n)));
  await new Promise((resolve) => setImmediate(resolve));
  t.same(filesystem.forgotten, [2, 3], 'shared counters leave a doubt, which the kernel settles');
});

t.test('a change that was made before the process died is answered, not made again', (t) => {
  const filesystem = new MemoryFileSystem();
  const under = new ServiceUnderTest(filesystem);
  const again = 1n << 63n;
  const twice = (unique: bigint, opcode: number, content: Buffer) => {
    const first = under.serve(request(opcode, 1n, unique, content))!;
    const unknown = under.serve(request(opcode, 1n, unique | again, content))!;
    filesystem.applied.add(Number(unique));
    const second = under.serve(request(opcode, 1n, unique | again, content))!;
    t.equal(first.errno, 0);
    t.not(unknown.errno, 0, 'one that was not applied is served like any other');
    t.equal(second.unique, unique | again);
    t.equal(second.errno, 0);
    t.same(second.payload, first.payload);
  };
  twice(2n, Opcode.MKDIR, body(0o755, 0, 'd\0'));
  twice(4n, Opcode.CREATE, body(0, 0o644, 0, 0, 'f\0'));
  twice(6n, Opcode.SYMLINK, body('s\0target\0'));
  twice(8n, Opcode.MKNOD, body(0o010644, 0, 0, 0, 'p\0'));
  twice(10n, Opcode.LINK, body(3n, 'l\0'));
  twice(12n, Opcode.RENAME, body(1n, 'l\0m\0'));
  twice(14n, Opcode.UNLINK, body('m\0'));
  twice(16n, Opcode.RMDIR, body('d\0'));
  t.end();
});

t.test('a change is answered once, when it is logged', (t) => {
  const filesystem = new MemoryFileSystem();
  const under = new ServiceUnderTest(filesystem);
  const { makeNode, unlink } = filesystem;
  filesystem.makeNode = (parent, name, mode, rdev, caller, out) => {
    makeNode.call(filesystem, parent, name, mode, rdev, caller, out);
    caller.logged?.();
  };
  filesystem.unlink = (parent, name, caller) => {
    caller.logged?.();
    if (name.length > 1) throw new Error('damage');
    unlink.call(filesystem, parent, name, caller);
  };
  t.equal(under.serve(request(Opcode.MKNOD, 1n, 2n, body(0o100644, 0, 0, 0, 'f\0'))), undefined);
  t.match(under.sent, [{ unique: 2n, errno: 0 }]);
  t.equal(under.sent[0]!.payload.readBigUInt64LE(0), 2n);
  t.equal(under.serve(request(Opcode.UNLINK, 1n, 4n, body('f\0'))), undefined);
  t.match(under.sent.slice(1), [{ unique: 4n, errno: 0 }]);
  under.serve(request(Opcode.FORGET, 2n, 6n, body(1n)));
  t.same(filesystem.forgotten, [2], 'the kernel was told of the inode once');

  t.equal(under.serve(request(Opcode.UNLINK, 1n, 8n, body('lost\0'))), undefined);
  t.match(under.sent.slice(2), [{ unique: 8n, errno: 0 }], 'what fails afterwards has happened for the caller');
  t.equal(under.failures.length, 1);

  filesystem.isSync = true;
  t.match(under.serve(request(Opcode.MKNOD, 1n, 10n, body(0o100644, 0, 0, 0, 'g\0'))), { unique: 10n, errno: 0 });
  t.equal(under.sent.length, 3, 'a change that is to be durable is not answered before');
  t.end();
});
