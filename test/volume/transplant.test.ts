/** What a reset carries over, of random trees that are large enough for pages to be shared, against what each path held before. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { checkStore } from '../../src/check/check.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { reset } from '../../src/filesystem/reset.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import { entriesOf } from '../../src/volume/directory-entries.js';
import { Survey } from '../../src/volume/in-place-plan.js';
import { Inode } from '../../src/volume/inode.js';
import { KIND_DIRENT } from '../../src/volume/items.js';
import { isDirectory, isRegular, isSymlink } from '../../src/volume/mode.js';
import { PERSISTENCE_PROPERTY } from '../../src/volume/persistence.js';
import { Quotas } from '../../src/volume/quotas.js';
import { Store } from '../../src/volume/store.js';
import type { Volume } from '../../src/volume/volume.js';
import { structuralProblem } from '../crash/structure.js';
import { Random } from '../random.js';
import { CALLER, type ServedVolume, VOLUME_OPTIONS } from './served-volume.js';
import { TreeByPath } from './tree-by-path.js';
import { PAGES_KEPT, WatchedPages } from './watched-pages.js';

/** What is at a path: all that does not depend on where else it has names, and which file it is. */
interface Node {
  readonly ino: Ino;
  readonly what: string;
  readonly isDirectory: boolean;
  readonly nlink: number;
}

/** All paths of a volume. */
async function dump(volume: Volume): Promise<Map<string, Node>> {
  const { state } = volume;
  const { tree, strings, entries } = state;
  const filesystem = new FileSystem(volume, { atime: 'noatime' });
  const found = new Map<string, Node>();
  const waiting: [string, Ino][] = [['', ROOT_INO]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [path, ino] = next;
    const inode = new Inode();
    inode.load(tree, ino);
    const { mode, uid, size, mtimeSeconds, nlink } = inode;
    let content: Uint8Array = Buffer.alloc(isRegular(mode) ? size : 0);
    if (content.length > 0) await filesystem.read(ino, 0, size, content, 0);
    if (isSymlink(mode)) content = filesystem.readSymlink(ino);
    const attributes = filesystem
      .listExtendedAttributes(ino)
      .map((name) => `${Buffer.from(name)}=${Buffer.from(filesystem.getExtendedAttribute(ino, name))}`);
    // Directories on the way change when something is put into them.
    const changing = isDirectory(mode) ? [] : [mtimeSeconds, size, Buffer.from(content).toString('latin1')];
    const what = JSON.stringify([mode, uid, attributes, ...changing]);
    found.set(path, { ino, what, isDirectory: isDirectory(mode), nlink });
    if (!isDirectory(mode)) continue;
    for (const entry of entriesOf(tree, ino)) {
      tree.find(ino, KIND_DIRENT, entry.minor);
      const name = Buffer.from(strings.get(entries.nameAddress())).toString();
      waiting.push([path === '' ? name : `${path}/${name}`, entry.ino]);
    }
  }
  return found;
}

/** Without the counts of names, among which some of what is left to be swept may be. */
const inPathOrder = (nodes: Map<string, Node>): [string, Omit<Node, 'nlink'>][] =>
  [...nodes]
    .map(([path, { nlink: _, ...node }]): [string, Omit<Node, 'nlink'>] => [path, node])
    .sort(([a], [b]) => (a < b ? -1 : 1));

const isAt = (path: string, above: string): boolean => path === above || path.startsWith(`${above}/`);

/** What a reset is to leave: what persists as it was, the directories on the way, and all else as in `blank`. */
function expectedAfter(
  before: Map<string, Node>,
  blank: Map<string, Node>,
  carried: readonly string[],
): Map<string, Node> {
  const present = carried.filter((path) => before.has(path));
  const expected = new Map([...blank].filter(([path]) => !present.some((above) => isAt(path, above))));
  for (const above of present) {
    for (let end = above.indexOf('/'); end > 0; end = above.indexOf('/', end + 1)) {
      const way = above.slice(0, end);
      if (expected.get(way)?.isDirectory === true) continue;
      for (const path of [...expected.keys()]) if (isAt(path, way)) expected.delete(path);
      expected.set(way, before.get(way)!);
    }
    for (const [path, node] of before) if (isAt(path, above)) expected.set(path, node);
  }
  return expected;
}

/**
 * Whether both have the same at the same paths, and the same paths lead to the same file. Returns what is wrong. `isSwept`: nothing else
 * has names for them.
 */
function mismatch(actual: Map<string, Node>, expected: Map<string, Node>, isSwept = true): string | undefined {
  const names = new Map<Ino, number>();
  for (const { ino } of actual.values()) names.set(ino, (names.get(ino) ?? 0) + 1);
  const counterpart = new Map<Ino, Ino>();
  for (const [path, { what, ino }] of expected) {
    const node = actual.get(path);
    if (node === undefined) return `${path} is missing`;
    if (node.what !== what) return `${path} is ${node.what.slice(0, 200)}, not ${what.slice(0, 200)}`;
    const links = names.get(node.ino) ?? 0;
    const areLinksRight = isSwept ? node.nlink === links : node.nlink >= links;
    if (!node.isDirectory && !areLinksRight) return `${path} has nlink ${node.nlink}`;
    // What came from the two trees may have the same number in both.
    if (node.isDirectory) continue;
    const known = counterpart.get(node.ino);
    if (known !== undefined && known !== ino) return `${path} leads to what another path does`;
    counterpart.set(node.ino, ino);
  }
  for (const path of actual.keys()) if (!expected.has(path)) return `${path} should be gone`;
  return undefined;
}

class RandomTree {
  readonly tree: TreeByPath;
  readonly random: Random;
  readonly directories = ['home', 'home/ana', 'home/ana/docs', 'etc', 'var', 'var/log', 'srv', 'tmp'];
  readonly files: string[] = [];
  makesLinks = true;
  readonly #settled = new Set<string>();
  #made = 0;

  constructor(tree: TreeByPath, random: Random) {
    this.tree = tree;
    this.random = random;
    for (const path of this.directories) tree.directory(path);
  }

  /** Makes files, most of them one after the other in one directory, so that what lies side by side belongs together. */
  grow(files: number): void {
    const { random, tree } = this;
    let directory = random.pick(this.directories);
    for (let made = 0; made < files; made++) {
      if (random.below(200) === 0) directory = random.pick(this.directories);
      const path = `${random.below(60) === 0 ? random.pick(this.directories) : directory}/f${++this.#made}`;
      const size = random.below(50) === 0 ? random.below(150_000) : random.below(60);
      tree.file(path, Buffer.alloc(size, `${this.#made}`));
      this.files.push(path);
      if (this.makesLinks && random.below(40) === 0) this.#link(path);
    }
  }

  /** What is there stays where it is, under one name. */
  settle(): void {
    for (const path of this.files) this.#settled.add(path);
  }

  #link(path: string): void {
    if (this.#settled.has(path)) return;
    const other = `${this.random.pick(this.directories)}/l${++this.#made}`;
    if (this.#tries(() => this.tree.link(path, other))) this.files.push(other);
  }

  /** False when it is refused: quotas keep links apart, and symlinks have no content. */
  #tries(action: () => void): boolean {
    try {
      action();
      return true;
    } catch {
      return false;
    }
  }

  #takeFile(): string {
    return this.files.splice(this.random.below(this.files.length), 1)[0]!;
  }

  /** Files that lose their last name while they are in use. */
  unlinkOpen(count: number): Ino[] {
    return Array.from({ length: count }, () => {
      const path = `${this.random.pick(this.directories)}/o${++this.#made}`;
      const ino = this.tree.file(path, Buffer.alloc(this.random.below(100_000), 'open'));
      this.tree.filesystem.unlink(...this.tree.place(path), CALLER);
      return ino;
    });
  }

  change(): void {
    const { random, tree } = this;
    switch (random.below(8)) {
      case 0:
        tree.remove(this.#takeFile());
        break;
      case 1: {
        const path = this.#takeFile();
        if (this.#settled.has(path)) break;
        const to = `${random.pick(this.directories)}/m${++this.#made}`;
        this.files.push(this.#tries(() => tree.rename(path, to)) ? to : path);
        break;
      }
      case 2:
        this.#link(random.pick(this.files));
        break;
      case 3:
        this.#tries(() => tree.write(random.pick(this.files), random.below(100), Buffer.from('changed')));
        break;
      case 4:
        this.#tries(() => tree.set(random.pick(this.files), { mode: 0o600 + random.below(64) }));
        break;
      case 5: {
        const path = `${random.pick(this.directories)}/s${++this.#made}`;
        tree.symlink(path, `target ${this.#made}`);
        this.files.push(path);
        break;
      }
      case 6: {
        const ino = tree.ino(random.pick(random.below(4) === 0 ? this.directories : this.files));
        const [name, value] = [Buffer.from(`trusted.${random.below(5)}`), Buffer.from(`${this.#made}`)];
        tree.filesystem.setExtendedAttribute(ino, name, value, 0, false, CALLER);
        break;
      }
      default: {
        const path = `${random.pick(this.directories)}/d${++this.#made}`;
        tree.directory(path);
        this.directories.push(path);
      }
    }
  }

  /** Moves a directory, with all that is in it. */
  moveDirectory(): void {
    const path = this.random.pick(this.directories.filter((path) => /\/d\d+$/.test(path)));
    const to = `${this.random.pick(['home/ana', 'srv', 'tmp', 'etc'])}/d${++this.#made}`;
    if (isAt(to, path) || !this.#tries(() => this.tree.rename(path, to))) return;
    const moved = (old: string): string => (isAt(old, path) ? to + old.slice(path.length) : old);
    this.directories.splice(0, Number.POSITIVE_INFINITY, ...this.directories.map(moved));
    this.files.splice(0, Number.POSITIVE_INFINITY, ...this.files.map(moved));
  }

  /** Forgets what is not there any more. */
  follow(present: Map<string, Node>): void {
    const there = (paths: string[], isDirectory: boolean): string[] =>
      paths.filter((path) => present.get(path)?.isDirectory === isDirectory);
    this.directories.splice(0, Number.POSITIVE_INFINITY, ...there(this.directories, true));
    this.files.splice(0, Number.POSITIVE_INFINITY, ...there(this.files, false));
  }
}

/** What razorfsck finds in a store that is closed. */
async function findingsOf(served: ServedVolume): Promise<string[]> {
  const findings: string[] = [];
  await checkStore(served.disk, {
    bootId: VOLUME_OPTIONS.bootId,
    onFinding: ({ severity, where, problem }) => {
      if (severity === 'error') findings.push(`${where}: ${problem}`);
    },
    onProgress: () => undefined,
  });
  return findings;
}

/** All paths as a process finds them that mounts what is left when this one is killed: the log is replayed. */
async function dumpReplayed(t: Test, { directory }: ServedVolume): Promise<Map<string, Node>> {
  const left = mkdtempSync(join(tmpdir(), 'razorfs-left-'));
  try {
    cpSync(directory, left, { recursive: true });
    const disk = new HostDisk(left);
    const store = await Store.open(disk, VOLUME_OPTIONS);
    t.equal(structuralProblem(store, disk), undefined, 'what was replayed is whole');
    const found = await dump(store.main);
    await store.close();
    return found;
  } finally {
    rmSync(left, { recursive: true });
  }
}

/** What the volumes of a run are like. */
interface Kind {
  readonly withQuotas?: boolean;
  /** What blank has stays where it is, so that resets in place are possible. */
  readonly isSettled?: boolean;
}

/** Returns how many resets could be done in place. */
async function resetAtRandom(t: Test, random: Random, kind: Kind): Promise<number> {
  const { withQuotas = false, isSettled = false } = kind;
  const tree = await TreeByPath.make(t);
  const { served } = tree;
  const made = new RandomTree(tree, random);
  made.makesLinks = !isSettled;
  made.grow(300);
  const setQuota = async (): Promise<void> => {
    const path = random.pick(made.directories);
    await new Quotas(served.store).set(tree.datasets.volume('main'), path, { bytes: 1e9 }).catch(() => undefined);
  };
  const dropQuota = async (): Promise<void> => {
    const quotas = new Quotas(served.store);
    const there = quotas.list(tree.datasets.volume('main'));
    if (there.length > 0) await quotas.remove(tree.datasets.volume('main'), random.pick(there).path);
  };
  for (let made = 0; withQuotas && made < 2; made++) await setQuota();
  // Kept by whoever has them open, until long after the snapshot.
  const open = made.unlinkOpen(5);
  await tree.datasets.createSnapshot('main', 'blank');
  for (const ino of open.slice(0, 3)) tree.filesystem.forget(ino);
  const blank = await dump(served.store.main);
  made.makesLinks = true;
  if (isSettled) made.settle();
  let inPlace = 0;
  const paths = ['etc', 'home/ana', 'srv', 'var/log', 'nothing/here'];
  for (let round = 0; round < 3; round++) {
    if (withQuotas) await dropQuota();
    made.grow(1500);
    for (let change = 0; change < 300; change++) made.change();
    for (let move = 0; move < 3; move++) made.moveDirectory();
    if (withQuotas) await setQuota();
    made.unlinkOpen(3);
    if (random.below(2) === 0) await served.store.checkpoint();
    const carried = paths.filter(() => random.below(4) > 0);
    for (const kind of [made.files, made.directories]) if (random.below(2) === 0) carried.push(random.pick(kind));
    const before = await dump(served.store.main);
    await tree.datasets.setProperties(tree.datasets.volume('main'), { [PERSISTENCE_PROPERTY]: { data: carried } });
    const forget = random.below(3) === 0;
    const { state: stateBefore } = served.store.main;
    const blankState = served.store.state.volumeOf(tree.datasets.snapshot('main', 'blank'));
    const isInPlace = Survey.of(stateBefore, blankState, carried, Number.POSITIVE_INFINITY) !== undefined;
    if (isInPlace) inPlace++;
    const watched = new WatchedPages(served.store.state.pages);
    const { kept } = await reset(served.store, tree.datasets, tree.datasets.volume('main'), { forget, copiedMax: 0 });
    const { reserved, taken } = watched.largest();
    t.ok(taken <= reserved - PAGES_KEPT, `took ${taken} pages, ${reserved} were reserved`);
    const after = await dump(served.store.main);
    const expected = expectedAfter(before, blank, carried);
    t.equal(mismatch(after, expected, !isInPlace), undefined, `round ${round}: ${carried.join(', ')}`);
    const problem = (): string | undefined => structuralProblem(served.store, served.disk);
    t.equal(problem(), undefined, 'the store is whole');
    if (kept !== null) {
      const old = served.store.snapshot(tree.datasets.snapshot('main', kept));
      t.equal(mismatch(await dump(old), before), undefined, 'the old root is as it was');
    }
    t.strictSame(
      inPathOrder(await dumpReplayed(t, served)),
      inPathOrder(after),
      'the same numbers when it is replayed',
    );
    // Some of what was left behind is swept, and the rest by whoever comes next.
    for (let slices = random.below(40); slices > 0 && served.store.sweeper.slice(); slices--) {
      if (slices % 8 === 0) t.equal(problem(), undefined, 'while it is swept');
    }
    t.strictSame(inPathOrder(await dumpReplayed(t, served)), inPathOrder(after), 'the same again');
    await served.store.close();
    t.strictSame(await findingsOf(served), [], 'razorfsck finds nothing');
    await served.reopen();
    // Nobody has anything open.
    served.store.state.onOrphan = () => false;
    t.equal(problem(), undefined, 'after a new mount');
    t.equal(mismatch(await dump(served.store.main), after, false), undefined);
    if (random.below(2) === 0) {
      await served.store.swept();
      t.equal(problem(), undefined, 'when all is swept');
      t.equal(mismatch(await dump(served.store.main), expected), undefined);
      t.equal(served.store.main.state.dataset.inodes, new Set([...after.values()].map(({ ino }) => ino)).size);
    }
    made.follow(after);
  }
  for (const snapshot of tree.datasets.snapshots('main')) await tree.datasets.destroy(snapshot);
  while (served.store.hasDying) await setImmediate();
  t.equal(structuralProblem(served.store, served.disk), undefined, 'without the old roots');
  await served.store.close();
  return inPlace;
}

t.test('resets of random trees', async (t) => {
  const random = Random.announced(t);
  for (const withQuotas of [false, true]) await resetAtRandom(t, random, { withQuotas });
});

t.test('resets in place', async (t) => {
  const random = Random.announced(t);
  let inPlace = 0;
  for (let run = 0; run < 2; run++) inPlace += await resetAtRandom(t, random, { isSettled: true });
  t.ok(inPlace > 2, `${inPlace} resets were in place`);
});
