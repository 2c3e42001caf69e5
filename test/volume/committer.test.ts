/** Commits on the calling thread: which are done there, and how a slow device is spared further ones. */
import t, { type Test } from 'tap';
import type { DiskFile, OpenMode } from '../../src/store/disk.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { ServedVolume, SMALL_GEOMETRY } from './served-volume.js';

/** Commits for which a slow device is not asked, and what counts as slow. */
const SLOW_COMMITS = 64;
const SLOW_MS = 5;

/** A disk whose syncs take no time but by this clock, which stands still otherwise. */
class TimedDisk extends HostDisk {
  /** What a sync at once takes. */
  syncMs = 0;
  nowMs = 1000;
  syncsAtOnce = 0;
  syncsLater = 0;

  override open(name: string, mode: OpenMode): DiskFile {
    const file = super.open(name, mode);
    file.syncNow = () => {
      this.syncsAtOnce++;
      this.nowMs += this.syncMs;
    };
    file.sync = async () => {
      this.syncsLater++;
    };
    return file;
  }
}

class Timed {
  readonly #served: ServedVolume;
  readonly disk: TimedDisk;
  #files = 0;

  private constructor(served: ServedVolume, disk: TimedDisk) {
    this.#served = served;
    this.disk = disk;
  }

  static async make(t: Test): Promise<Timed> {
    const served = await ServedVolume.make(t, SMALL_GEOMETRY);
    const disk = new TimedDisk(served.directory);
    await served.reopen({}, disk);
    t.teardown(() => served.store.close());
    return new Timed(served, disk);
  }

  /** Something to make durable. */
  work(bytes = 100): void {
    this.#served.makeFile(`file ${this.#files++}`, new Uint8Array(bytes));
  }

  /** Asks for a commit at once, by the clock of the disk. Returns whether it was done; if not, the device was not asked. */
  atOnce(t: Test): boolean {
    const before = this.disk.syncsAtOnce;
    const { now } = performance;
    performance.now = () => this.disk.nowMs;
    try {
      const isDone = this.#served.store.commitAtOnce('all');
      t.equal(this.disk.syncsAtOnce > before, isDone, isDone ? 'the device was asked' : 'the device was left alone');
      return isDone;
    } finally {
      performance.now = now;
    }
  }

  later(): Promise<void> {
    return this.#served.store.commit('all');
  }
}

t.test('as long as the device is fast', async (t) => {
  const timed = await Timed.make(t);
  for (let commit = 0; commit < 3 * SLOW_COMMITS; commit++) {
    timed.work();
    if (!timed.atOnce(t)) t.fail(`commit ${commit} was left for later`);
  }
});

t.test('a slow device is left to other threads for a while, and then asked again', async (t) => {
  const timed = await Timed.make(t);
  timed.disk.syncMs = SLOW_MS;
  for (const stillSlow of [true, false]) {
    timed.work();
    t.equal(timed.atOnce(t), true, 'how slow it is shows once it is done');
    timed.disk.syncMs = stillSlow ? SLOW_MS : 0;
    for (let commit = 0; commit < SLOW_COMMITS; commit++) {
      timed.work();
      if (timed.atOnce(t)) t.fail(`commit ${commit} was done at once`);
      const before = timed.disk.syncsLater;
      await timed.later();
      t.ok(timed.disk.syncsLater > before, 'another thread does it');
    }
  }
  for (let commit = 0; commit < 3; commit++) {
    timed.work();
    t.equal(timed.atOnce(t), true, 'the device is fast again');
  }
});

t.test('what is much, or waits for a commit under way, is left for later', async (t) => {
  const timed = await Timed.make(t);
  timed.work(1024 * 1024);
  t.equal(timed.atOnce(t), false, 'a megabyte');
  const commit = timed.later();
  timed.work();
  t.equal(timed.atOnce(t), false, 'another commit is under way');
  await commit;
  timed.work();
  t.equal(timed.atOnce(t), true);
});
