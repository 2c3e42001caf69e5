/**
 * Paths of mount points and stores, and which pairs of them are refused.
 */
import { symlinkSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { mountPointPath, storePath } from '../../src/mount/paths.js';
import { checkPlacement } from '../../src/mount/preconditions.js';

t.test('symbolic links are resolved, also above what does not exist', async (t) => {
  const directory = t.testdir({ real: { store: {} } });
  symlinkSync(path.join(directory, 'real'), path.join(directory, 'link'));
  t.equal(storePath(path.join(directory, 'link/store')), path.join(directory, 'real/store'));
  t.equal(storePath(path.join(directory, 'link/a/b')), path.join(directory, 'real/a/b'));
  t.equal(mountPointPath(path.join(directory, 'link')), path.join(directory, 'real'));
  t.equal(mountPointPath(`${directory}/real/../link/store/`), path.join(directory, 'real/store'));
});

t.test('a store and a mount point may lie side by side, not inside each other', async (t) => {
  t.doesNotThrow(() => checkPlacement('/mnt/a', '/mnt/ab'));
  t.doesNotThrow(() => checkPlacement('/mnt/ab', '/mnt/a'));
  t.throws(() => checkPlacement('/s', '/s'), { code: 'placement' });
  t.throws(() => checkPlacement('/s/mnt', '/s'), { code: 'placement', message: /inside the store \/s/ });
  t.throws(() => checkPlacement('/mnt', '/mnt/s/t'), { code: 'placement', message: /inside the mount point \/mnt/ });
  t.throws(() => checkPlacement('/', '/s'), { code: 'placement' });
});
