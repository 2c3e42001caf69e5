/**
 * A repair that is cut short at any of its writes (a kill, a full disk) leaves the store as it was: the same findings, and a
 * second repair mends them.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { planRepair, repairStore } from '../../src/check/repair.js';
import { type Disk, DiskError, type DiskFile, type DiskStatistics, type OpenMode } from '../../src/store/disk.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { SUPERBLOCK_NAME } from '../../src/store/superblock.js';
import { flip, leavesOf, pagePlace } from './damage.js';
import { check, copyStore, makeStore, repair } from './store-fixture.js';

/** Fails at the nth call that changes something, and at all after it. */
class FailingDisk implements Disk {
  readonly #disk: HostDisk;
  #left: number;
  /** The superblock was being written: whether it counts is open. */
  reachedSuperblock = false;

  constructor(directory: string, changes: number) {
    this.#disk = new HostDisk(directory);
    this.#left = changes;
  }

  #change(path: string): void {
    if (this.#left-- <= 0) throw new DiskError('ENOSPC', 'write', path);
    if (path === SUPERBLOCK_NAME) this.reachedSuperblock = true;
  }

  open(path: string, mode: OpenMode): DiskFile {
    if (mode === 'create') this.#change(path);
    const file = this.#disk.open(path, mode);
    const change = (): void => this.#change(path);
    return new Proxy(file, {
      get(target, name) {
        if (name === 'write' || name === 'allocate' || name === 'sync' || name === 'syncNow') change();
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
  exists(path: string): boolean {
    return this.#disk.exists(path);
  }
  list(path: string): string[] {
    return this.#disk.list(path);
  }
  makeDirectory(path: string): void {
    this.#change(path);
    this.#disk.makeDirectory(path);
  }
  remove(path: string): void {
    this.#change(path);
    this.#disk.remove(path);
  }
  syncDirectory(path: string): void {
    this.#change(path);
    this.#disk.syncDirectory(path);
  }
  statistics(): DiskStatistics {
    return this.#disk.statistics();
  }
}

t.setTimeout(300_000);
const store = await makeStore(t, 150);

t.test('a repair that is cut short leaves the store as it was', async (t) => {
  const damaged = copyStore(t, store);
  const { file, position } = pagePlace(leavesOf(damaged)[2]);
  flip(join(damaged, file), position + 500);
  const before = (await check(damaged)).errors;
  t.not(before.length, 0);
  let changes = 0;
  for (let isDone = false; !isDone; changes++) {
    const directory = copyStore(t, damaged);
    const disk = new FailingDisk(directory, changes);
    const { result } = await check(directory);
    try {
      await repairStore(disk, result, planRepair(result, false), 1_700_000_000_000);
      isDone = true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
    const { errors } = await check(directory);
    if (isDone || disk.reachedSuperblock) {
      if (errors.length > 0)
        t.strictSame(errors, [], `with the superblock, after ${changes} changes, the repair counts`);
    } else {
      if (JSON.stringify(errors) !== JSON.stringify(before)) t.strictSame(errors, before, `after ${changes} changes`);
      await repair(directory);
      if ((await check(directory)).errors.length > 0) t.fail(`a second repair after ${changes} changes`);
    }
    rmSync(directory, { recursive: true });
  }
  t.ok(changes > 10, `cut at each of ${changes} changes`);
});
