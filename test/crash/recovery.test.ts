/**
 * Recovery as a decision table: superblocks, log, boot id and blobs in every state that they can be found in, and in some that they
 * cannot. Each row makes a store, harms it, opens it, and says what must be there, or with which error opening is refused.
 *
 * The store of each row: a checkpoint with file `a` (large, synced) and `s` (small, synced); after it, logged and synced, `b`.
 */
import t, { type Test } from 'tap';
import { CorruptionError } from '../../src/errors/corruption.js';
import { StoreError } from '../../src/errors/store-error.js';
import { PAGE_SIZE } from '../../src/store/geometry.js';
import { readSlots } from '../../src/store/superblock.js';
import { newStore } from './campaign.js';
import { KEEP_ALL, LOSE_ALL } from './fates.js';
import type { Step } from './model.js';
import { Session } from './session.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { Fate } from './simulated-inode.js';
import { structuralProblem } from './structure.js';

const SAME_BOOT = '1'.repeat(32);
const OTHER_BOOT = '2'.repeat(32);
const BEFORE: readonly Step[] = [
  { op: 'create', path: 'a' },
  { op: 'write', path: 'a', at: 0, length: 50_000 },
  { op: 'create', path: 's' },
  { op: 'write', path: 's', at: 0, length: 500 },
  { op: 'checkpoint' },
  { op: 'create', path: 'b' },
  { op: 'commit' },
];

interface Row {
  readonly name: string;
  /** Steps after those of every row. */
  readonly steps?: readonly Step[];
  /** Unmounts before the store is harmed. */
  readonly isClean?: boolean;
  /** What the power takes; otherwise only the process dies. */
  readonly fate?: Fate;
  readonly harm?: (disk: SimulatedDisk) => void;
  /** Names that are there afterwards, or the error of opening. */
  readonly expected: readonly string[] | RegExp;
  /** What must hold of the opened volume beyond that. */
  readonly check?: (t: Test, session: Session) => void | Promise<void>;
}

const tearSlot = (disk: SimulatedDisk, slot: number): void =>
  disk.damage('superblock', (bytes) => bytes.fill(0xa5, slot * PAGE_SIZE + 512, slot * PAGE_SIZE + 1024));
const newestSlot = (disk: SimulatedDisk): number => {
  const sequences = readSlots(disk).map((slot) => (slot.kind === 'valid' ? slot.superblock.sequence : -1));
  return sequences[0] > sequences[1] ? 0 : 1;
};
const logFiles = (disk: SimulatedDisk): string[] =>
  disk.files().flatMap(({ path }) => (path.startsWith('wal/') ? [path] : []));
const harmLog = (disk: SimulatedDisk, change: (bytes: Buffer) => void): void => {
  for (const path of logFiles(disk)) disk.damage(path, change);
};
const harmRecordOfB = (disk: SimulatedDisk): void =>
  harmLog(disk, (bytes) => {
    const at = bytes.lastIndexOf(Buffer.from('b\0\0\0\0\0\0\0', 'latin1'));
    if (at > 4096) bytes[at] ^= 1;
  });
const blobOfA = 'blobs/0/1';
const size = (session: Session, name: string): number => session.present.resolve(name).content.length;
/** Everything is kept but the first page of each file: the header of a log segment. */
const LOSE_FIRST_PAGES: Fate = { ...KEEP_ALL, page: (count, index) => (index === 0 ? 0 : count - 1) };

/** Enough for several log segments, with checkpoints that let go of them. */
const FILL_LOG: readonly Step[] = Array.from({ length: 60 }, (_, index) =>
  index === 10 || index === 20 ? { op: 'checkpoint' } : { op: 'write', path: 's', at: 0, length: 32_000 },
);

const ROWS: readonly Row[] = [
  { name: 'clean, same boot: nothing to do', isClean: true, expected: ['a', 'b', 's'] },
  { name: 'clean, other boot: nothing to do', isClean: true, fate: LOSE_ALL, expected: ['a', 'b', 's'] },
  {
    name: 'clean, with a log that is gone: not needed',
    isClean: true,
    harm: (disk) => {
      for (const path of logFiles(disk)) disk.remove(path);
    },
    expected: ['a', 'b', 's'],
  },
  {
    name: 'not clean, same boot: all of the log',
    steps: [{ op: 'create', path: 'c' }],
    expected: ['a', 'b', 'c', 's'],
  },
  {
    name: 'not clean, other boot: what was synced',
    steps: [{ op: 'create', path: 'c' }],
    fate: LOSE_ALL,
    expected: ['a', 'b', 's'],
  },
  {
    name: 'not clean, other boot: what had reached the disk by itself',
    steps: [{ op: 'create', path: 'c' }],
    fate: KEEP_ALL,
    expected: ['a', 'b', 'c', 's'],
  },
  {
    name: 'older superblock slot torn: not needed',
    harm: (disk) => tearSlot(disk, 1 - newestSlot(disk)),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'newer superblock slot torn while it was written: its predecessor and all of the log since',
    steps: [{ op: 'startCheckpoint' }],
    harm: (disk) => tearSlot(disk, 1 - newestSlot(disk)),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'newer superblock slot damaged at rest, the log before it still there: all of the log',
    harm: (disk) => tearSlot(disk, newestSlot(disk)),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'newer superblock slot damaged at rest, the log before it used again: refused',
    steps: FILL_LOG,
    harm: (disk) => tearSlot(disk, newestSlot(disk)),
    expected: /the log from LSN \d+ on is missing|made in epoch/,
  },
  {
    name: 'log file of a store that is not clean gone (impossible): refused',
    harm: (disk) => {
      for (const path of logFiles(disk)) disk.remove(path);
    },
    expected: /the log from LSN \d+ on is missing/,
  },
  {
    name: 'both superblock slots torn: refused',
    harm: (disk) => {
      tearSlot(disk, 0);
      tearSlot(disk, 1);
    },
    expected: /both superblocks are unusable/,
  },
  {
    name: 'superblock file empty (impossible): refused',
    harm: (disk) => disk.damage('superblock', (bytes) => bytes.fill(0)),
    expected: /its superblock is not one of RazorFS/,
  },
  {
    name: 'no superblock file: refused',
    harm: (disk) => disk.remove('superblock'),
    expected: /there is no RazorFS store here/,
  },
  {
    name: 'log record torn at the end: the records before it',
    harm: harmRecordOfB,
    expected: ['a', 's'],
  },
  {
    name: 'log record damaged before others, same boot: refused',
    steps: [{ op: 'mkdir', path: 'c' }],
    harm: harmRecordOfB,
    expected: /wal: the record at LSN \d+ is damaged or missing, but there are more after it/,
  },
  {
    name: 'log record lost before others, power loss: the records before it',
    steps: [{ op: 'mkdir', path: 'c' }],
    fate: KEEP_ALL,
    harm: harmRecordOfB,
    expected: ['a', 's'],
  },
  {
    name: 'two log files hold one segment (impossible): refused',
    harm: (disk) => {
      let copy = Buffer.alloc(0);
      for (const path of logFiles(disk)) {
        disk.damage(path, (bytes) => {
          if (copy.length === 0 && bytes[4] !== 0) copy = Buffer.from(bytes);
        });
      }
      const file = disk.open('wal/99', 'create');
      file.write(copy, 0, copy.length, 0);
    },
    expected: /two files hold segment/,
  },
  {
    name: 'a log file cut off while it was made: counts for nothing',
    harm: (disk) => disk.open('wal/99', 'create').write(Buffer.alloc(4096, 1), 0, 4096, 0),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'a log file of another store: counts for nothing',
    harm: (disk) => disk.open('wal/99', 'create').write(Buffer.alloc(256 * 1024, 0xa5), 0, 256 * 1024, 0),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'strings beyond the end that the superblock names: written over',
    harm: (disk) => disk.damage('strings.dat', (bytes) => bytes.fill(0xa5, 64 * 1024)),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'small files beyond the end that the superblock names: written over',
    harm: (disk) => disk.damage('packs/0', (bytes) => bytes.fill(0xa5, 64 * 1024)),
    expected: ['a', 'b', 's'],
  },
  {
    name: 'counts of the checkpoint damaged: refused',
    harm: (disk) => {
      for (const path of ['refs.a', 'refs.b']) disk.damage(path, (bytes) => bytes.fill(0xa5, 100, 200));
    },
    expected: /refs\.[ab] block 0: checksum does not match/,
  },
  {
    name: 'nodes.dat shorter than the superblock says: refused',
    harm: (disk) => disk.open('nodes.dat', 'write').truncate(PAGE_SIZE),
    expected: /nodes\.dat: 4096 bytes long, but the superblock counts/,
  },
  {
    name: 'barrier uncovered: the history ends before it',
    steps: [
      { op: 'write', path: 'b', at: 0, length: 50_000 },
      { op: 'rename', path: 'b', to: 's' },
      { op: 'create', path: 'c' },
    ],
    fate: { ...KEEP_ALL, page: (count, _index) => count - 1, entry: () => 0 },
    expected: ['a', 'b', 's'],
  },
  {
    name: 'barrier covered: the renamed file, whole',
    steps: [
      { op: 'write', path: 'b', at: 0, length: 50_000 },
      { op: 'rename', path: 'b', to: 's' },
      { op: 'commit' },
      { op: 'create', path: 'c' },
    ],
    fate: LOSE_ALL,
    expected: ['a', 's'],
    check: (t, session) => {
      t.equal(size(session, 's'), 50_000);
    },
  },
  {
    name: 'blob shorter than its file, growth not synced: the file is cut to it',
    steps: [
      { op: 'write', path: 'a', at: 50_000, length: 20_000 },
      { op: 'fsync', path: 's' },
    ],
    fate: LOSE_ALL,
    expected: ['a', 'b', 's'],
    check: (t, session) => {
      t.equal(size(session, 'a'), 50_000);
    },
  },
  {
    name: 'blob longer than its file: what is beyond the end is not seen',
    harm: (disk) => disk.open(blobOfA, 'write').write(Buffer.alloc(9000, 0xa5), 0, 9000, 50_000),
    expected: ['a', 'b', 's'],
    check: async (t, session) => {
      t.equal(size(session, 'a'), 50_000);
      await session.run({ op: 'truncate', path: 'a', size: 60_000 });
      await session.compare();
    },
  },
  {
    name: 'blob of an unsynced write gone: the file is there, empty',
    steps: [
      { op: 'write', path: 'b', at: 0, length: 50_000 },
      { op: 'fsync', path: 's' },
    ],
    fate: { ...KEEP_ALL, entry: () => 0 },
    expected: ['a', 'b', 's'],
    check: (t, session) => {
      t.equal(size(session, 'b'), 0);
    },
  },
  {
    name: 'blobs of operations that were lost: deleted',
    steps: [{ op: 'write', path: 'b', at: 0, length: 50_000 }],
    fate: { ...LOSE_ALL, entry: (count) => count - 1 },
    expected: ['a', 'b', 's'],
    check: (t, session) => {
      t.notOk(session.disk.exists('blobs/0/2'));
    },
  },
  {
    name: 'an inode without a name: reclaimed',
    steps: [{ op: 'unlink', path: 'a' }],
    expected: ['b', 's'],
    check: (t, session) => {
      t.equal(session.store.recovery.orphansReclaimed, 1);
    },
  },
];

async function storeOf(row: Row): Promise<SimulatedDisk> {
  const session = await Session.open(await newStore(), { bootId: SAME_BOOT });
  for (const step of [...BEFORE, ...(row.steps ?? [])]) await session.run(step);
  if (row.isClean === true) await session.close();
  const { disk } = session;
  const left = row.fate === undefined ? disk.afterProcessDeath() : disk.afterPowerLoss(row.fate);
  await session.abandon();
  row.harm?.(left);
  return left;
}

for (const row of ROWS) {
  t.test(row.name, async (t) => {
    const disk = await storeOf(row);
    const bootId = row.fate === undefined ? SAME_BOOT : OTHER_BOOT;
    if (row.expected instanceof RegExp) {
      const writes: string[] = [];
      disk.observe = ({ kind, path }) => {
        if (kind !== 'read' && kind !== 'sync') writes.push(`${kind} ${path}`);
      };
      const refusal = await Session.open(disk, { bootId }).catch((error: unknown) => error);
      t.ok(refusal instanceof StoreError || refusal instanceof CorruptionError, 'a refusal of its own kind');
      t.match(String(refusal), row.expected);
      t.strictSame(writes, [], 'nothing is written');
      return;
    }
    const session = await Session.open(disk, { bootId });
    t.strictSame([...session.present.resolve('').entries.keys()].sort(), row.expected);
    t.equal(structuralProblem(session.store, disk), undefined);
    await row.check?.(t, session);
    await session.close();
    t.ok(session.store.recovery.clean === (row.isClean === true), 'the report tells clean from not clean');
    await session.abandon();
  });
}

t.test('a log segment whose header a power cut took never becomes valid again', async (t) => {
  const session = await Session.open(await newStore(), { bootId: SAME_BOOT });
  await session.run({ op: 'create', path: 'a' });
  const write: Step = { op: 'write', path: 'a', at: 0, length: 32_000 };
  // A segment holds seven of these and the next begins; all records have one length, so that each fits where another was.
  for (let count = 0; count < 7; count++) await session.run(write);
  await session.run({ op: 'commit' });
  for (let count = 0; count < 5; count++) await session.run(write);
  const cut = session.disk.afterPowerLoss(LOSE_FIRST_PAGES);
  await session.abandon();
  const second = await Session.open(cut, { bootId: OTHER_BOOT });
  await second.run(write);
  await second.compare();
  const killed = second.disk.afterProcessDeath();
  const expected = second.present.skeleton;
  await second.abandon();
  const third = await Session.open(killed, { bootId: OTHER_BOOT });
  t.equal(third.present.skeleton, expected);
  await third.abandon();
});
