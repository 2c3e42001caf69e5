/**
 * A disk that fails under a mount: syncs of the host's files give EIO from the moment on that a file says so.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { ROOT, razorfs, run } from '../cli/program.js';
import { Place, until } from './mounting.js';
import { withPlanted } from './planted.js';

/** Makes syncs of the files of the store fail while `signal` exists. */
const failingDisk = (signal: string): string => `
  import { existsSync } from 'node:fs';
  import { HostDisk } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/store/host-disk.js'))};
  import { DiskError } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/store/disk.js'))};
  const { open } = HostDisk.prototype;
  HostDisk.prototype.open = function (name, mode) {
    const file = open.call(this, name, mode);
    const sync = file.sync.bind(file);
    const syncNow = file.syncNow.bind(file);
    const check = () => {
      if (existsSync(${JSON.stringify(signal)})) throw new DiskError('EIO', 'fdatasync', name);
    };
    file.sync = async () => {
      check();
      await sync();
    };
    file.syncNow = () => {
      check();
      syncNow();
    };
    return file;
  };`;

t.test('EIO from a sync makes the mount read-only, and status says why', async (t) => {
  const place = new Place(t);
  const signal = path.join(place.directory, 'the disk fails');
  await withPlanted(t, failingDisk(signal), async () => {
    await place.mounted();
    const at = (name: string): string => path.join(place.mountPoint, name);
    writeFileSync(at('before'), 'kept');
    const file = openSync(at('file'), 'w');
    writeSync(file, 'synced');
    fsyncSync(file);
    writeFileSync(signal, '');
    writeSync(file, ' and more');
    t.throws(() => fsyncSync(file), { code: 'EIO' });
    t.throws(() => fsyncSync(file), { code: 'EIO' }, 'the next one does not succeed either');
    closeSync(file);
    t.throws(() => mkdirSync(at('directory')), { code: 'EROFS' });
    t.throws(() => rmSync(at('before')), { code: 'EROFS' });
    t.equal(readFileSync(at('before'), 'utf8'), 'kept', 'what is there can be read');
    const { stdout } = await razorfs(['status', place.mountPoint]);
    t.match(stdout, /fdatasync wal\/\d+: EIO/);
    const snapshot = await razorfs(['snapshot', 'create', place.mountPoint, 'one']);
    t.equal(snapshot.code, EXIT.failure);
    t.match(snapshot.stderr, /The store has turned read-only because of an error: .*fdatasync wal\/\d+: EIO/);
    t.match(readFileSync(path.join(place.store, 'razorfs.log'), 'utf8'), 'the store is read-only from now on');
    const { code, stderr } = await place.umount();
    t.equal(code, EXIT.notClean, 'unmounting says that the store is not clean');
    t.match(stderr, 'The next mount recovers it.');
  });
  rmSync(signal);
  t.match(await place.mount(), { code: EXIT.success, stdout: /Recovered from a crash/ });
  t.equal(readFileSync(path.join(place.mountPoint, 'before'), 'utf8'), 'kept');
  t.match(readFileSync(path.join(place.mountPoint, 'file'), 'utf8'), /^synced/);
  t.match(await place.umount(), { code: EXIT.success });
  t.match(await run(path.join(ROOT, 'razorfsck'), [place.store]), { code: 0 });
});

/** Makes the store impossible to open while `signal` exists: the processes that try are noted there. */
const unusableDisk = (signal: string): string => `
  import { appendFileSync, constants, existsSync } from 'node:fs';
  import { HostDisk } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/store/host-disk.js'))};
  import { DiskError } from ${JSON.stringify(path.join(import.meta.dirname, '../../src/store/disk.js'))};
  const { open } = HostDisk.prototype;
  HostDisk.prototype.open = function (name, mode) {
    if (!existsSync(${JSON.stringify(signal)})) return open.call(this, name, mode);
    appendFileSync(${JSON.stringify(signal)}, process.pid + '\\n', { flag: constants.O_APPEND | constants.O_WRONLY });
    throw new DiskError('ENOMEM', 'open', name);
  };`;

t.test('a worker that dies while no other can open the store is succeeded once one can', async (t) => {
  const place = new Place(t);
  const signal = path.join(place.directory, 'no memory');
  await withPlanted(t, unusableDisk(signal), async () => {
    const { pid } = await place.mounted();
    const file = path.join(place.mountPoint, 'file');
    writeFileSync(file, 'kept');
    writeFileSync(signal, '');
    process.kill(pid, 'SIGKILL');
    await until(() => new Set(readFileSync(signal, 'utf8').trim().split('\n')).size >= 2);
    rmSync(signal);
    t.equal(readFileSync(file, 'utf8'), 'kept');
    mkdirSync(path.join(place.mountPoint, 'directory'));
    t.match(await place.umount(), { code: EXIT.success });
  });
});
