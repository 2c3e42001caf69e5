import t from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { ENOENT } from '../../src/errors/errno.js';
import { Opcode } from '../../src/fuse/abi.js';
import { FailureLog } from '../../src/fuse/failure-log.js';
import { FuseTrace } from '../../src/fuse/trace.js';
import { body, request, ServiceUnderTest } from './kernel-requests.js';
import { MemoryFileSystem } from './memory-file-system.js';

t.test('requests are counted, and told of line by line', (t) => {
  const trace = new FuseTrace();
  const lines: string[] = [];
  trace.line = (line) => lines.push(line);
  const under = new ServiceUnderTest(new MemoryFileSystem(), { trace });
  under.serve(request(Opcode.MKDIR, 1n, 2n, body(0o755, 0, 'a "b"\0')));
  under.serve(request(Opcode.READ, 9n, 4n, body(0n, 4096n, 512, 0, 0n, 0, 0)));
  under.serve(request(Opcode.RMDIR, 1n, (1n << 63n) | 6n, body('no end')));
  under.serve(request(999, 1n, 8n, body()));
  t.same(lines, [
    '#2 MKDIR node 1 "a \\"b\\"" uid 0 pid 0',
    '#2 = 128 bytes',
    '#4 READ node 9 512@4096 uid 0 pid 0',
    '#4 = ESTALE',
    '#6 RMDIR node 1 uid 0 pid 0 (sent again)',
    '#6 = EINVAL',
    '#8 opcode 999 node 1 uid 0 pid 0',
    '#8 = ENOSYS',
  ]);
  t.same(trace.report(), { unknown: 1, MKDIR: 1, RMDIR: 1, READ: 1 });
  t.end();
});

t.test('failures are logged with what met them, once in a while; refusals are not', (t) => {
  const entries: [object, string][] = [];
  const log = new FailureLog({ error: (details, message) => entries.push([details, message]) });
  const filesystem = new MemoryFileSystem();
  filesystem.getAttributes = () => {
    throw new CorruptionError('page 812', 'its checksum does not match');
  };
  const under = new ServiceUnderTest(filesystem, { failures: log });
  for (let i = 0; i < 100; i++) {
    t.equal(under.serve(request(Opcode.GETATTR, 1n, 2n, body(0, 0, 0n)))?.errno, 5);
  }
  log.report(ENOENT);
  log.report(new TypeError('a mistake'));
  t.equal(entries.length, 2);
  t.same(entries[0], [{ request: 'GETATTR node 1 uid 0 pid 0' }, 'page 812: its checksum does not match']);
  t.match(entries[1], [{ stack: /TypeError: a mistake/ }, 'a mistake']);
  t.end();
});
