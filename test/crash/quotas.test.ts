/**
 * What quotas say is used is exact whenever the process dies or the power goes: before each change of the disk in a history of all
 * that moves it. After recovery each tree is counted anew (quota-structure.ts), and has the quotas of a moment that it went through.
 */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { asIno, type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { Quotas } from '../../src/volume/quotas.js';
import { Store } from '../../src/volume/store.js';
import { Random } from '../random.js';
import { newStore } from './campaign.js';
import { KEEP_ALL, LOSE_ALL, randomFate } from './fates.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { settle, volumeOptions } from './small-store.js';
import { structuralProblem } from './structure.js';

const BOOT = '1'.repeat(32);
const OTHER_BOOT = '2'.repeat(32);
const CALLER = { uid: 0, gid: 0, pid: 1, umask: 0, request: 0 };
const KIB = 1024;
/** A history has more moments than a test has time for: of those of one step, this many are looked at. */
const MOMENTS_PER_STEP = 5;

/** A store on a simulated disk, by paths. */
class Life {
  readonly store: Store;
  readonly filesystem: FileSystem;
  readonly #disk: SimulatedDisk;
  readonly #quotas: Quotas;
  readonly #datasets: Datasets;

  static async open(disk: SimulatedDisk, bootId: string): Promise<Life> {
    return new Life(
      disk,
      await settle(
        disk,
        Store.open(
          disk,
          volumeOptions(bootId, () => 1e12),
        ),
      ),
    );
  }

  private constructor(disk: SimulatedDisk, store: Store) {
    this.#disk = disk;
    this.store = store;
    this.filesystem = new FileSystem(store.main, { atime: 'noatime' });
    this.#quotas = new Quotas(store);
    this.#datasets = new Datasets(store);
  }

  ino(path: string): Ino {
    const found = new Attributes();
    found.ino = ROOT_INO;
    for (const name of path === '' ? [] : path.split('/')) {
      this.filesystem.lookup(found.ino, Buffer.from(name), found);
    }
    return found.ino;
  }

  #place(path: string): [Ino, Buffer] {
    const slash = path.lastIndexOf('/');
    return [this.ino(path.slice(0, Math.max(0, slash))), Buffer.from(path.slice(slash + 1))];
  }

  directory(path: string): void {
    this.filesystem.makeDirectory(...this.#place(path), 0o755, CALLER, new Attributes());
  }

  write(path: string, at: number, length: number): void {
    const [parent, name] = this.#place(path);
    const names: string[] = [];
    this.filesystem.readDirectory(parent, 0, (entry) => names.push(Buffer.from(entry).toString()) > 0);
    if (!names.includes(name.toString())) {
      this.filesystem.makeNode(parent, name, 0o100644, 0, CALLER, new Attributes());
    }
    this.filesystem.write(this.ino(path), at, length, Buffer.alloc(length, 'x'), 0, false, CALLER);
  }

  truncate(path: string, size: number): void {
    this.filesystem.setAttributes(this.ino(path), { size }, CALLER, new Attributes());
  }

  allocate(path: string, length: number): void {
    this.filesystem.allocate(this.ino(path), 0, 0, length, CALLER);
  }

  link(path: string, to: string): void {
    this.filesystem.link(this.ino(path), ...this.#place(to), CALLER, new Attributes());
  }

  rename(path: string, to: string): void {
    this.filesystem.rename(...this.#place(path), ...this.#place(to), 0, CALLER);
  }

  unlink(path: string): void {
    this.filesystem.unlink(...this.#place(path), CALLER);
  }

  removeDirectory(path: string): void {
    this.filesystem.removeDirectory(...this.#place(path), CALLER);
  }

  /** Makes a file without a name. */
  temporary(path: string): Ino {
    const made = new Attributes();
    this.filesystem.makeTemporary(this.ino(path), 0o100600, CALLER, made);
    this.filesystem.write(made.ino, 0, 3 * KIB, Buffer.alloc(3 * KIB), 0, false, CALLER);
    return made.ino;
  }

  named(temporary: Ino, path: string): void {
    this.filesystem.link(temporary, ...this.#place(path), CALLER, new Attributes());
  }

  /** What was done so far is durable, but not the data of large files: a loss of power cuts them. */
  async syncNames(): Promise<void> {
    await settle(this.#disk, this.filesystem.syncDirectory(ROOT_INO));
  }

  /** Nobody uses what has no name any more. */
  forget(): void {
    for (const ino of [...this.store.main.state.orphans]) this.filesystem.forget(asIno(ino));
  }

  async setQuota(path: string, bytes: number): Promise<void> {
    await settle(this.#disk, this.#quotas.set(this.#datasets.volume('main'), path, { bytes }));
  }

  async removeQuota(path: string): Promise<void> {
    await settle(this.#disk, this.#quotas.remove(this.#datasets.volume('main'), path));
  }

  async snapshot(name: string): Promise<void> {
    await settle(this.#disk, this.#datasets.createSnapshot('main', name));
  }

  async rollBack(name: string, carried: readonly string[], path = ''): Promise<void> {
    const snapshot = this.#datasets.snapshot('main', name);
    await settle(this.#disk, this.#datasets.rollBack('main', snapshot, { keepAs: undefined, carried, path }));
  }

  async checkpoint(): Promise<void> {
    await settle(this.#disk, this.store.checkpoint());
  }

  /** The quotas that there are, and their limits. */
  limits(): string {
    const quotas = this.#quotas.list(this.#datasets.volume('main'));
    return quotas.map(({ path, limits }) => `${path} ${limits.bytes}`).join(', ');
  }
}

const HISTORY: readonly ((life: Life) => void | Promise<void>)[] = [
  (life) => life.directory('d'),
  (life) => life.write('d/small', 0, 2 * KIB),
  (life) => life.write('d/large', 0, 80 * KIB),
  (life) => life.setQuota('d', 900 * KIB),
  (life) => life.directory('d/e'),
  (life) => life.write('d/e/grows', 0, 10 * KIB),
  (life) => life.write('d/e/grows', 5 * KIB, 90 * KIB),
  (life) => life.write('d/large', 80 * KIB, 20 * KIB),
  (life) => life.syncNames(),
  (life) => void life.temporary('d/e'),
  (life) => life.named(life.temporary('d/e'), 'd/e/named'),
  (life) => life.checkpoint(),
  (life) => life.truncate('d/large', 33 * KIB),
  (life) => life.link('d/small', 'd/e/name'),
  (life) => life.unlink('d/small'),
  (life) => life.forget(),
  (life) => life.snapshot('one'),
  (life) => life.write('d/large', 20 * KIB, 60 * KIB),
  (life) => life.syncNames(),
  (life) => life.allocate('d/e/grows', 200 * KIB),
  (life) => life.setQuota('d', 500 * KIB),
  (life) => life.rename('d/e/grows', 'd/large'),
  (life) => life.directory('f'),
  (life) => life.setQuota('f', 100 * KIB),
  (life) => life.write('f/file', 0, 70 * KIB),
  (life) => life.rollBack('one', ['f', 'd/large']),
  (life) => life.write('f/file', 70 * KIB, 10 * KIB),
  (life) => life.write('d/e/name', 0, 50 * KIB),
  (life) => life.unlink('f/file'),
  (life) => life.removeDirectory('f'),
  (life) => life.directory('g'),
  (life) => life.setQuota('g', 50 * KIB),
  (life) => life.forget(),
  (life) => life.rollBack('one', [], 'd'),
  (life) => life.checkpoint(),
  (life) => void life.temporary('g'),
  (life) => life.unlink('d/e/grows'),
  (life) => life.removeQuota('d'),
  (life) => life.write('d/large', 0, 300 * KIB),
  (life) => life.removeQuota('g'),
  (life) => life.forget(),
];

interface Moment {
  readonly disk: SimulatedDisk;
  readonly where: string;
  /** How many steps had returned. */
  readonly returned: number;
}

t.test('what is used is exact after a crash at any moment', async (t) => {
  const random = Random.announced(t);
  const disk = await newStore();
  const life = await Life.open(disk, BOOT);
  const limits = [life.limits()];
  const moments: Moment[] = [];
  for (const [index, step] of HISTORY.entries()) {
    let seen = 0;
    const first = moments.length;
    disk.observe = ({ kind, path }) => {
      if (kind === 'read') return;
      // Each with the same chance, however many there are (reservoir sampling).
      const place = first + (seen++ < MOMENTS_PER_STEP ? seen - 1 : random.below(seen));
      if (place >= first + MOMENTS_PER_STEP) return;
      moments[place] = {
        disk: disk.afterProcessDeath(),
        where: `step ${index}, before ${kind} ${path}`,
        returned: index,
      };
    };
    await step(life);
    disk.observe = () => undefined;
    t.equal(structuralProblem(life.store, disk), undefined, `whole after step ${index}`);
    limits.push(life.limits());
  }
  t.ok(moments.length > HISTORY.length, `${moments.length} moments`);
  for (const moment of moments) {
    const fates = [undefined, LOSE_ALL, KEEP_ALL, randomFate(random)];
    for (const fate of fates) {
      const crashed = fate === undefined ? moment.disk.afterProcessDeath() : moment.disk.afterPowerLoss(fate);
      const problem = await problemAfter(crashed, fate === undefined ? BOOT : OTHER_BOOT, (found) => {
        const possible = limits.slice(fate === undefined ? moment.returned : 0, moment.returned + 2);
        return possible.includes(found) ? undefined : `quotas of no moment: ${found}`;
      });
      if (problem !== undefined) t.fail(`${moment.where}, ${fate === undefined ? 'death' : 'power loss'}: ${problem}`);
    }
    moment.disk.dispose();
  }
  disk.kill();
  await life.store.close().catch(() => undefined);
  disk.dispose();
});

/** Recovers a disk, and tells what is wrong with what is found there. */
async function problemAfter(
  disk: SimulatedDisk,
  bootId: string,
  judge: (limits: string) => string | undefined,
): Promise<string | undefined> {
  const life = await Life.open(disk, bootId);
  try {
    return structuralProblem(life.store, disk) ?? judge(life.limits());
  } finally {
    disk.kill();
    await life.store.close().catch(() => undefined);
    disk.dispose();
  }
}
