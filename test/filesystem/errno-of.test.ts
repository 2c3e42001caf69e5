import t from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { ENOTEMPTY } from '../../src/errors/errno.js';
import { errnoOf } from '../../src/filesystem/errno-of.js';
import { DiskError } from '../../src/store/disk.js';

t.test('errors as errno', (t) => {
  t.equal(errnoOf(ENOTEMPTY), 39);
  t.equal(errnoOf(new CorruptionError('page 812', 'its checksum does not match')), 5);
  t.equal(errnoOf(new DiskError('ENOSPC', 'fallocate', 'nodes.dat')), 28);
  t.equal(errnoOf(new DiskError('EDQUOT', 'write', 'nodes.dat')), 122);
  t.equal(errnoOf(new DiskError('EROFS', 'open', 'nodes.dat')), 30);
  t.equal(errnoOf(new DiskError('ENOENT', 'open', 'blobs/00/1')), 5, 'a missing blob is no missing name');
  t.equal(errnoOf(new TypeError('a mistake')), 5);
  t.equal(errnoOf(undefined), 5);
  t.end();
});
