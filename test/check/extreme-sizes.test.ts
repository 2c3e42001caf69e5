/**
 * Sizes and counts on a damaged disk that are far beyond what there is: opening, checking and repairing answer with what is wrong, and
 * take memory by what the files hold. So do files that were made enormous without anything in them.
 */
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { packSegmentName, SMALL_FILE_BYTES_MAX } from '../../src/blobs/packs.js';
import { CorruptionError } from '../../src/errors/corruption.js';
import { DiskError } from '../../src/store/disk.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { asBlobId, asIno, MAIN_VOLUME } from '../../src/store/units.js';
import { stringsSegmentName } from '../../src/strings/string-table.js';
import { KIND_DIRENT, KIND_DYING, KIND_EXTENT, readU64 } from '../../src/volume/items.js';
import type { WriteSmallOperation } from '../../src/volume/operation.js';
import { decodeOperation, encodeOperation, operationCode } from '../../src/volume/operation-codec.js';
import { reserveFor } from '../../src/volume/reserve.js';
import { FieldReader, FieldWriter } from '../../src/wal/record.js';
import { changeSuperblock, eachLeaf, itemsOf, overwrite, superblockOf, writePage } from './damage.js';
import { makeStoreWithSnapshots } from './snapshots-fixture.js';
import {
  type Checked,
  type Contents,
  check,
  contentsOfAll,
  contentsOfStore,
  copyStore,
  makeStore,
  openStore,
  repair,
  SEGMENT_BYTES,
} from './store-fixture.js';

const MEBIBYTE = 2 ** 20;
const TEBIBYTE = 2 ** 40;
const COUNT_MAX = 0xffff_ffff;
/** Address space that a case may take beyond the most so far: nothing that grows with a planted number fits. */
const GROWTH_MAX = 512 * MEBIBYTE;
/** Of the host, for a store of some hundred small files and what a repair keeps. */
const DISK_MAX = 64 * MEBIBYTE;
/** A finding for each page or block that there is not would be millions. */
const ERRORS_MAX = 20;

t.setTimeout(300_000);
const clean = await makeStore(t, 200);
const withSnapshots = await makeStoreWithSnapshots(t, 60);

/** The most address space that this process has had, in bytes: memory that was set aside counts, used or not. */
const addressSpaceMax = (): number =>
  Number(/^VmPeak:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;

async function withinMemory<Result>(t: Test, work: () => Promise<Result>): Promise<Result> {
  const before = addressSpaceMax();
  const result = await work();
  const growth = addressSpaceMax() - before;
  t.ok(growth < GROWTH_MAX, `${Math.round(growth / MEBIBYTE)} MiB more of address space`);
  return result;
}

const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(directory, name)).isFile(),
  );

const allocatedBytes = (directory: string): number =>
  filesOf(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0);

/** Everything that a mount shows; undefined when the store, or something in it, is refused as damaged. */
async function used(directory: string): Promise<Contents | undefined> {
  try {
    const store = await openStore(directory);
    try {
      return await contentsOfAll(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof DiskError) return undefined;
    throw error;
  }
}

interface Case {
  readonly plant: (directory: string) => void;
  /** What razorfsck says; undefined for nothing. */
  readonly finds: RegExp | undefined;
  readonly store?: string;
}

const describe = ({ errors }: Checked): string[] =>
  errors.map(({ code, where, problem }) => `${code}: ${where}: ${problem}`);

async function checkCase(t: Test, { plant, finds, store = clean }: Case): Promise<void> {
  const before = await contentsOfStore(copyStore(t, store));
  const [directory, mounted] = [copyStore(t, store), copyStore(t, store)];
  plant(directory);
  plant(mounted);
  const contents = await withinMemory(t, () => used(mounted));
  const errors = describe(await withinMemory(t, () => check(directory)));
  t.ok(errors.length <= ERRORS_MAX, `${errors.length} errors`);
  if (finds === undefined) {
    t.strictSame(errors, []);
    t.strictSame(contents, before, 'a mount shows all of it');
  } else {
    t.match(errors.join('\n'), finds);
    t.equal(contents, undefined, 'a mount refuses what is damaged');
  }
  await withinMemory(t, () => repair(directory, true));
  t.strictSame(describe(await check(directory)), [], 'in order after the repair');
  const after = await contentsOfStore(directory);
  const changed = [...before].filter(([path, description]) => path !== '/' && after.get(path) !== description);
  const inodes = new Set(changed.map(([, description]) => description));
  t.ok(inodes.size <= 1, `of one inode at most, under one name or several: ${changed.join('; ')}`);
  t.ok(allocatedBytes(directory) < DISK_MAX, 'and it has not grown');
}

const enlarge = (directory: string, file: string): void => truncateSync(join(directory, file), TEBIBYTE);

/** Gives the record that an item points to a length and a capacity that no segment has room for. */
function plantLength(
  directory: string,
  kind: number,
  word: number,
  segmentName: (index: number) => string,
  length: number,
): void {
  const address = readU64(itemsOf(directory, kind).at(-1)!.value, word);
  const file = segmentName(Math.floor(address / SEGMENT_BYTES));
  enlarge(directory, file);
  const lengths = new Uint8Array(Uint32Array.of(length, COUNT_MAX - 7).buffer);
  overwrite(join(directory, file), (address % SEGMENT_BYTES) + 4, lengths);
}

/** Changes the first DYING item of the catalog. */
function plantDying(directory: string, count: number): void {
  const visit = (page: Parameters<Parameters<typeof eachLeaf>[1]>[0]): boolean => {
    for (let slot = 0; slot < page.count; slot++) {
      if (page.kind(slot) !== KIND_DYING) continue;
      page.words[page.valueWord(slot)] = count;
      writePage(directory, page.number, page.words);
      return false;
    }
    return true;
  };
  eachLeaf(directory, visit, superblockOf(directory).root);
}

const cases: Readonly<Record<string, Case>> = {
  'half of all page numbers in the superblock': {
    plant: (directory) => changeSuperblock(directory, { nodesCapacity: 2 ** 31 }),
    finds: /^file: nodes\.\d+\.dat: is missing$/m,
  },
  'all page numbers in the superblock': {
    plant: (directory) => changeSuperblock(directory, { nodesCapacity: COUNT_MAX }),
    finds: /^file: nodes\.\d+\.dat: is missing$/m,
  },
  'a page file far beyond the others': {
    plant: (directory) => {
      changeSuperblock(directory, { nodesCapacity: COUNT_MAX });
      writeFileSync(join(directory, 'nodes.60000000.dat'), new Uint8Array(PAGE_SIZE));
    },
    finds: /^file: nodes\.\d+\.dat: is missing$/m,
  },
  'reference counts without end': {
    plant: (directory) => {
      changeSuperblock(directory, { nodesCapacity: COUNT_MAX });
      for (const name of ['refs.a', 'refs.b']) enlarge(directory, name);
    },
    finds: /^file: nodes\.\d+\.dat: is missing$/m,
  },
  'small data of 4 GiB': {
    plant: (directory) => plantLength(directory, KIND_EXTENT, 0, packSegmentName, COUNT_MAX - 7),
    finds: /^extent: .*out of range$/m,
  },
  'small data that lies beyond the mapped part of its file': {
    plant: (directory) => plantLength(directory, KIND_EXTENT, 0, packSegmentName, SEGMENT_BYTES),
    finds: /^extent: .*out of range$/m,
  },
  'a name of 4 GiB': {
    plant: (directory) => plantLength(directory, KIND_DIRENT, 2, stringsSegmentName, COUNT_MAX - 7),
    finds: /^name: .*out of range/m,
  },
  'a page to be given up four thousand million times': {
    plant: (directory) => plantDying(directory, COUNT_MAX),
    finds: /^dying: page \d+: to be given up 4294967295 times, which cannot be$/,
    store: withSnapshots,
  },
  ...Object.fromEntries(
    filesOf(clean)
      .filter((name) => name !== 'lock')
      .filter((name) => !name.startsWith('blobs/') || name === filesOf(clean).find((one) => one.startsWith('blobs/')))
      .map((name) => [
        `${name} of a tebibyte`,
        { plant: (directory: string) => enlarge(directory, name), finds: undefined },
      ]),
  ),
};

for (const [name, planted] of Object.entries(cases)) t.test(name, (t) => checkCase(t, planted));

t.test('a log record with data of a small file that is not small', async (t) => {
  const decoded = (position: number): unknown => {
    const operation: WriteSmallOperation = {
      type: 'writeSmall',
      ino: asIno(2),
      position,
      data: Buffer.from('data'),
      mode: 0o100644,
      time: { seconds: 0, nanoseconds: 0 },
    };
    const bytes = new Uint8Array(256);
    const writer = new FieldWriter();
    writer.begin(bytes, 0);
    encodeOperation(operation, writer);
    return decodeOperation(operationCode(operation), new FieldReader(bytes, 0, writer.position));
  };
  t.match(decoded(SMALL_FILE_BYTES_MAX - 4), { position: SMALL_FILE_BYTES_MAX - 4 });
  for (const position of [SMALL_FILE_BYTES_MAX - 3, TEBIBYTE, Number.MAX_SAFE_INTEGER, -1]) {
    t.throws(() => decoded(position), CorruptionError, String(position));
  }
});

t.test('a log record about chunks that the file does not have', async (t) => {
  const store = await openStore(copyStore(t, clean));
  const { pages } = store.state;
  const before = pages.file.capacity;
  const operation = { type: 'takeChunks', ino: asIno(2), blob: asBlobId(1), first: 0, end: TEBIBYTE } as const;
  reserveFor(store.state, MAIN_VOLUME, operation, 1);
  t.equal(pages.file.capacity, before, 'sets no pages aside for them');
  await store.close();
});
