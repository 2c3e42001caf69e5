/** What people are told of failures of a command on a store: which store, what is wrong, and what to do. */
import t from 'tap';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { CorruptionError } from '../../src/errors/corruption.js';
import { EROFS } from '../../src/errors/errno.js';
import { StoreError } from '../../src/errors/store-error.js';
import { RemoteError, serialiseError } from '../../src/mount/serialised-error.js';
import { explainCommandFailure } from '../../src/mount/store-failure.js';
import { DiskError } from '../../src/store/disk.js';

t.test('failures of the store, here and in the process that serves it', async (t) => {
  for (const error of [
    new DiskError('ENOSPC', 'pwrite', 'blobs/0/1'),
    new DiskError('EIO', 'fdatasync', 'wal/0'),
    new CorruptionError('page 7', 'checksum does not match'),
    EROFS,
  ]) {
    for (const thrown of [error, new RemoteError(serialiseError(error))]) {
      const explained = explainCommandFailure('/the/store', thrown);
      if (!(explained instanceof StoreError)) throw new Error('not explained');
      t.match(explained.message, '/the/store');
      t.not(explained.advice, '');
      t.not(exitCodeOf(explained, explained.code), 0);
    }
  }
  const full = explainCommandFailure('/the/store', new DiskError('ENOSPC', 'pwrite', 'wal/1'));
  t.match(full, { code: 'no-space' });
  const refusal = new StoreError('held', 'It is held.');
  t.equal(explainCommandFailure('/the/store', refusal), refusal, 'a refusal stays what it is');
});
