/** Quotas of volumes and of directories, without a mount: what is refused, what statfs shows, and that the usage is exact. */
import t, { type Test } from 'tap';
import { EDQUOT, EFBIG, type Errno, EXDEV } from '../../src/errors/errno.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import {
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_ZERO_RANGE,
  type FileSystemStatistics,
} from '../../src/filesystem/operations.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { NO_LIMIT } from '../../src/volume/quota-record.js';
import { type DirectoryQuota, Quotas } from '../../src/volume/quotas.js';
import { structuralProblem } from '../crash/structure.js';
import { CALLER, ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

const KIB = 1024;
const bytes = (length: number): Buffer => Buffer.alloc(length, 'x');

class QuotaVolume {
  readonly served: ServedVolume;
  readonly #t: Test;

  private constructor(t: Test, served: ServedVolume) {
    this.#t = t;
    this.served = served;
  }

  static async make(t: Test): Promise<QuotaVolume> {
    const served = await ServedVolume.make(t, SMALL_GEOMETRY);
    t.teardown(() => served.store.close());
    return new QuotaVolume(t, served);
  }

  get quotas(): Quotas {
    return new Quotas(this.served.store);
  }

  get datasets(): Datasets {
    return new Datasets(this.served.store);
  }

  get main() {
    return this.datasets.volume('main');
  }

  directory(name: string, parent: Ino = ROOT_INO): Ino {
    const out = new Attributes();
    this.served.filesystem.makeDirectory(parent, Buffer.from(name), 0o755, CALLER, out);
    return out.ino;
  }

  link(ino: Ino, name: string, parent: Ino): void {
    this.served.filesystem.link(ino, parent, Buffer.from(name), CALLER, new Attributes());
  }

  rename(parent: Ino, name: string, toParent: Ino, toName: string): void {
    this.served.filesystem.rename(parent, Buffer.from(name), toParent, Buffer.from(toName), 0, CALLER);
  }

  write(ino: Ino, position: number, length: number): void {
    this.served.filesystem.write(ino, position, length, bytes(length), 0, false, CALLER);
  }

  truncate(ino: Ino, size: number): void {
    this.served.filesystem.setAttributes(ino, { size }, CALLER, new Attributes());
  }

  statistics(ino: Ino = ROOT_INO): FileSystemStatistics {
    const out = {
      blockSize: 0,
      blocks: 0,
      blocksFree: 0,
      blocksAvailable: 0,
      files: 0,
      filesFree: 0,
      nameLengthMax: 0,
    };
    this.served.filesystem.statistics(ino, out);
    return out;
  }

  list(): Record<string, Omit<DirectoryQuota, 'path'>> {
    return Object.fromEntries(this.quotas.list(this.main).map(({ path, ...quota }) => [path, quota]));
  }

  refused(what: string, errno: Errno, attempt: () => unknown): void {
    let thrown: unknown;
    try {
      attempt();
    } catch (error) {
      thrown = error;
    }
    this.#t.equal(thrown, errno, `${what} is refused`);
    this.whole(`after ${what} was refused`);
  }

  whole(when: string): void {
    const { store, disk } = this.served;
    this.#t.equal(structuralProblem(store, disk), undefined, `the store is whole ${when}`);
  }
}

t.test('what exceeds the quota of a volume is refused, and nothing else', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { filesystem } = volume.served;
  await volume.datasets.setProperties(volume.main, { quota: 256 * KIB, 'inode-quota': 5 });
  const file = volume.served.makeFile('file', bytes(200 * KIB));
  volume.refused('a write past the quota', EDQUOT, () => volume.write(file, 250 * KIB, 10 * KIB));
  volume.refused('growing', EDQUOT, () => volume.truncate(file, 300 * KIB));
  volume.refused('fallocate', EDQUOT, () => filesystem.allocate(file, 0, 0, 300 * KIB, CALLER));
  volume.refused('fallocate beyond the end', EDQUOT, () =>
    filesystem.allocate(file, FALLOC_FL_KEEP_SIZE, 0, 300 * KIB, CALLER),
  );
  volume.refused('zeroing past the end', EDQUOT, () =>
    filesystem.allocate(file, FALLOC_FL_ZERO_RANGE, 0, 300 * KIB, CALLER),
  );
  volume.refused('copying', EDQUOT, () => filesystem.copyRange(file, 0, file, 150 * KIB, 150 * KIB, CALLER));
  volume.write(file, 200 * KIB, 56 * KIB);
  volume.refused('one byte more', EDQUOT, () => volume.write(file, 256 * KIB, 1));
  volume.write(file, 0, 100 * KIB);
  filesystem.allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 64 * KIB, CALLER);
  t.strictSame(await volume.served.read(file), Buffer.concat([Buffer.alloc(64 * KIB), bytes(192 * KIB)]));

  const removed = volume.directory('a');
  volume.directory('b');
  filesystem.makeSymlink(ROOT_INO, Buffer.from('c'), Buffer.from('target'), CALLER, new Attributes());
  volume.refused('a directory too many', EDQUOT, () => volume.directory('d'));
  volume.refused('a file without a name', EDQUOT, () =>
    filesystem.makeTemporary(ROOT_INO, 0o100600, CALLER, new Attributes()),
  );
  volume.link(file, 'link', ROOT_INO);
  volume.rename(ROOT_INO, 'link', ROOT_INO, 'renamed');
  filesystem.setExtendedAttribute(file, Buffer.from('user.x'), bytes(1000), 0, false, CALLER);

  await volume.datasets.setProperties(volume.main, { quota: 10 * KIB, 'inode-quota': 1 });
  volume.refused('growing under a lowered quota', EDQUOT, () => volume.write(file, 256 * KIB, 1));
  volume.truncate(file, 100 * KIB);
  volume.rename(ROOT_INO, 'a', ROOT_INO, 'z');
  filesystem.removeDirectory(ROOT_INO, Buffer.from('z'), CALLER);
  filesystem.forget(removed);
  volume.refused('a directory under a lowered quota', EDQUOT, () => volume.directory('e'));
  volume.truncate(file, 0);
  volume.write(file, 0, 10 * KIB);
  await volume.datasets.setProperties(volume.main, { quota: undefined, 'inode-quota': undefined });
  volume.write(file, 0, 500 * KIB);
  volume.directory('e');
  volume.whole('in the end');
});

t.test('statfs shows what quotas leave', async (t) => {
  const volume = await QuotaVolume.make(t);
  const host = volume.statistics();
  const { blockSize } = host;
  await volume.datasets.setProperties(volume.main, { quota: 100 * blockSize, 'inode-quota': 50 });
  t.match(volume.statistics(), { blocks: 100, blocksFree: 100, blocksAvailable: 100, files: 50, filesFree: 49 });
  const directory = volume.directory('directory');
  const file = volume.served.makeFile('file', bytes(10 * blockSize + 1), directory);
  t.match(volume.statistics(), { blocks: 100, blocksFree: 89, blocksAvailable: 89, files: 50, filesFree: 47 });

  await volume.quotas.set(volume.main, 'directory', { bytes: 20 * blockSize, inodes: 10 });
  t.match(volume.statistics(file), { blocks: 20, blocksFree: 9, files: 10, filesFree: 8 }, 'of the directory');
  t.match(volume.statistics(), { blocks: 100, blocksFree: 89 }, 'of the volume elsewhere');
  await volume.quotas.set(volume.main, 'directory', { bytes: 1000 * blockSize, inodes: NO_LIMIT });
  t.match(volume.statistics(directory), { blocks: 100, blocksFree: 89, files: 50, filesFree: 47 }, 'no more is free');
  await volume.quotas.set(volume.main, 'directory', { bytes: 5 * blockSize });
  t.match(volume.statistics(directory), { blocks: 11, blocksFree: 0 }, 'more is used than allowed');
  await volume.datasets.setProperties(volume.main, { quota: 2 ** 60 });
  const { blocks, blocksFree } = volume.statistics();
  t.equal(blocks - blocksFree, 11, 'what is used');
  t.ok(blocks <= host.blocks, 'no more than the host has');
});

t.test('a directory has a quota of its own', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { filesystem } = volume.served;
  const directory = volume.directory('directory');
  const below = volume.directory('below', directory);
  const early = volume.served.makeFile('early', bytes(3 * KIB), below);
  volume.link(early, 'other name', directory);
  await volume.quotas.set(volume.main, 'directory', { bytes: 100 * KIB, inodes: 6 });
  const limits = { bytes: 100 * KIB, inodes: 6 };
  t.strictSame(volume.list(), { directory: { limits, bytesUsed: 3 * KIB, inodesUsed: 3 } });
  volume.whole('with a quota');

  const late = volume.served.makeFile('late', bytes(97 * KIB), below);
  volume.refused('a write past the quota', EDQUOT, () => volume.write(early, 3 * KIB, 1));
  const outside = volume.served.makeFile('outside', bytes(200 * KIB));
  volume.refused('a copy into it', EDQUOT, () => filesystem.copyRange(outside, 0, early, 0, 10 * KIB, CALLER));
  const temporary = new Attributes();
  filesystem.makeTemporary(below, 0o100600, CALLER, temporary);
  volume.directory('deeper', below);
  volume.refused('an inode too many', EDQUOT, () => volume.directory('deepest', below));
  t.match(volume.list(), { directory: { bytesUsed: 100 * KIB, inodesUsed: 6 } });

  volume.refused('a rename into it', EXDEV, () => volume.rename(ROOT_INO, 'outside', below, 'inside'));
  volume.refused('a rename out of it', EXDEV, () => volume.rename(below, 'late', ROOT_INO, 'late'));
  volume.refused('a link into it', EXDEV, () => volume.link(outside, 'inside', below));
  volume.refused('a link out of it', EXDEV, () => volume.link(late, 'late', ROOT_INO));
  volume.refused('a name outside for a file made within', EXDEV, () => volume.link(temporary.ino, 't', ROOT_INO));
  volume.rename(below, 'late', directory, 'moved');
  volume.rename(ROOT_INO, 'directory', ROOT_INO, 'renamed');
  t.match(volume.list(), { renamed: { bytesUsed: 100 * KIB, inodesUsed: 6 } });
  filesystem.forget(temporary.ino);
  volume.truncate(early, 0);
  volume.served.remove('moved', directory);
  t.match(volume.list(), { renamed: { bytesUsed: 0, inodesUsed: 4 } });
  volume.whole('after removing');

  await volume.served.reopen();
  t.strictSame(volume.list(), { renamed: { limits, bytesUsed: 0, inodesUsed: 4 } }, 'the same after reopening');
  await volume.quotas.remove(volume.main, 'renamed');
  t.strictSame(volume.list(), {});
  volume.write(early, 0, 300 * KIB);
  volume.whole('without the quota');
});

t.test('a quota goes with its directory, once nobody uses what was in it', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { filesystem } = volume.served;
  const directory = volume.directory('directory');
  await volume.quotas.set(volume.main, 'directory', { inodes: 10 });
  const file = volume.served.makeFile('file', bytes(50 * KIB), directory);
  filesystem.unlink(directory, Buffer.from('file'), CALLER);
  filesystem.removeDirectory(ROOT_INO, Buffer.from('directory'), CALLER);
  filesystem.forget(directory);
  t.strictSame(volume.list(), {}, 'it is not listed any more');
  volume.write(file, 0, 60 * KIB);
  volume.whole('while the file is in use');
  volume.directory('directory');
  await volume.quotas.set(volume.main, 'directory', { inodes: 3 });
  filesystem.forget(file);
  volume.whole('afterwards');
  t.match(volume.list(), { directory: { limits: { inodes: 3 }, inodesUsed: 1 } });
});

t.test('quotas that cannot be are refused in words', async (t) => {
  const volume = await QuotaVolume.make(t);
  const directory = volume.directory('a');
  const below = volume.directory('b', directory);
  volume.directory('c', below);
  const file = volume.served.makeFile('file', bytes(10), below);
  volume.link(file, 'name', ROOT_INO);
  const { main, quotas } = volume;
  await t.rejects(quotas.set(main, 'a', { inodes: 9 }), { code: 'bad-quota', message: /names in "\/a" and outside/ });
  volume.served.remove('name');
  await t.rejects(quotas.set(main, '', { inodes: 9 }), { code: 'bad-quota', message: /root directory/ });
  await t.rejects(quotas.set(main, 'a/b/file', { inodes: 9 }), { code: 'no-such-directory' });
  await t.rejects(quotas.set(main, 'nowhere', { inodes: 9 }), { code: 'no-such-directory' });
  await t.rejects(quotas.set(main, 'a', {}), { code: 'bad-quota', message: /without any limit/ });
  await t.rejects(quotas.set(main, 'a', { bytes: 0.5 }), { code: 'bad-quota' });
  await t.rejects(quotas.remove(main, 'a'), { code: 'no-such-quota' });
  await quotas.set(main, 'a/b', { inodes: 9 });
  await t.rejects(quotas.set(main, 'a', { inodes: 9 }), { message: /"\/a" contains "\/a\/b", which has a quota/ });
  await t.rejects(quotas.set(main, 'a/b/c', { inodes: 9 }), { message: /"\/a\/b\/c" is in "\/a\/b", which has/ });
  volume.whole('after all');
});

t.test('snapshots, clones and rollbacks have the quotas that were there', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { datasets, quotas, main } = volume;
  const directory = volume.directory('directory');
  await quotas.set(main, 'directory', { bytes: 100 * KIB });
  volume.served.makeFile('file', bytes(50 * KIB), directory);
  const snapshot = await datasets.createSnapshot('main', 'one');
  await quotas.set(main, 'directory', { bytes: 500 * KIB, inodes: 7 });
  volume.served.makeFile('more', bytes(90 * KIB), directory);
  t.match(quotas.list(snapshot), [{ limits: { bytes: 100 * KIB }, bytesUsed: 50 * KIB, inodesUsed: 2 }]);
  const clone = await datasets.createVolume('clone', snapshot, { uid: 0, gid: 0 });
  t.match(quotas.list(clone), [{ limits: { bytes: 100 * KIB }, bytesUsed: 50 * KIB, inodesUsed: 2 }]);
  await quotas.set(clone, 'directory', { bytes: 60 * KIB });
  volume.whole('with a clone');
  await datasets.rollBack('main', snapshot, { keepAs: 'replaced' });
  t.match(volume.list(), { directory: { limits: { bytes: 100 * KIB, inodes: NO_LIMIT }, bytesUsed: 50 * KIB } });
  t.match(quotas.list(datasets.snapshot('main', 'replaced')), [{ limits: { inodes: 7 }, bytesUsed: 140 * KIB }]);
  volume.whole('after the rollback');
});

t.test('what a rollback carries over counts where it comes to be', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { datasets, quotas, main, served } = volume;
  const kept = volume.directory('kept');
  const other = volume.directory('other');
  const blank = await datasets.createSnapshot('main', 'blank');
  const limited = volume.directory('limited', kept);
  await quotas.set(main, 'kept/limited', { inodes: 5 });
  served.makeFile('file', bytes(10 * KIB), limited);
  const shared = served.makeFile('shared', bytes(KIB), kept);
  volume.link(shared, 'shared', other);
  await datasets.rollBack('main', blank, { keepAs: 'full', carried: ['kept', 'other'] });
  volume.whole('after a reset');
  t.match(volume.list(), { 'kept/limited': { limits: { inodes: 5 }, bytesUsed: 10 * KIB, inodesUsed: 2 } });

  await quotas.set(main, 'other', { inodes: 100 }).catch((error: Error) => t.match(error.message, /names in/));
  served.remove('shared', served.find('other'));
  await quotas.set(main, 'other', { inodes: 100 });
  const limits = await datasets.createSnapshot('main', 'limits');
  await datasets.rollBack('main', datasets.snapshot('main', 'full'), { keepAs: undefined });
  t.strictSame(Object.keys(volume.list()), ['kept/limited']);
  volume.whole('after another rollback');

  await datasets.rollBack('main', limits, { keepAs: 'linked', carried: ['kept/shared', 'other/shared', 'kept'] });
  volume.whole('with a file carried to both sides of a quota');
  t.match(volume.list(), { 'kept/limited': { inodesUsed: 2 }, other: { inodesUsed: 2, bytesUsed: KIB } });
  const [one, two] = [served.find('shared', served.find('kept')), served.find('shared', served.find('other'))];
  t.not(one, two, 'it is two files now');

  await datasets.rollBack('main', limits, { keepAs: undefined, path: 'other' });
  volume.whole('after a rollback of one directory');
  t.match(volume.list(), { other: { limits: { inodes: 100 }, inodesUsed: 1, bytesUsed: 0 } });
  await datasets.rollBack('main', datasets.snapshot('main', 'linked'), { keepAs: undefined, path: 'other' });
  t.strictSame(Object.keys(volume.list()), ['kept/limited'], 'its quota went with the state that had it');
  volume.whole('after a rollback to a state without the quota');
});

t.test('enormous sparse files do not make what is used wrong', async (t) => {
  const volume = await QuotaVolume.make(t);
  const { served, quotas } = volume;
  const directory = volume.directory('a');
  await quotas.set(volume.main, 'a', { inodes: 10 });
  const resize = (ino: Ino, size: number): void =>
    served.filesystem.setAttributes(ino, { size }, CALLER, new Attributes());
  const half = 2 ** 52 - 1;
  const [first, second] = [served.makeFile('1', bytes(0), directory), served.makeFile('2', bytes(0), directory)];
  resize(first, half);
  resize(second, half);
  t.throws(() => resize(second, half + 2), EFBIG);
  t.equal(quotas.list(volume.main)[0]?.bytesUsed, 2 * half);
  served.remove('1', directory);
  resize(second, 3);
  t.equal(volume.main.dataBytes, 3);
  t.equal(structuralProblem(served.store, served.disk), undefined);
});
