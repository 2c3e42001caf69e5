/**
 * When a chunk that a snapshot has is cloned, when it is copied, and what is left when either fails.
 */
import t from 'tap';
import { DiskError } from '../../src/store/disk.js';
import { newStore } from './campaign.js';
import type { Step } from './model.js';
import { Session } from './session.js';
import type { DiskOperationKind } from './simulated-disk.js';
import { structuralProblem } from './structure.js';

const BOOT = '1'.repeat(32);
const SHARED: readonly Step[] = [
  { op: 'create', path: 'a' },
  { op: 'write', path: 'a', at: 0, length: 300_000 },
  { op: 'snapshot', name: 's' },
];

async function opened(steps: readonly Step[], hasReflinks = true): Promise<Session> {
  const session = await Session.open(await newStore(), { bootId: BOOT });
  session.disk.hasReflinks = hasReflinks;
  for (const step of steps) await session.run(step);
  return session;
}

/** What a step does to blobs, in order. */
async function onBlobs(session: Session, step: Step): Promise<DiskOperationKind[]> {
  const kinds: DiskOperationKind[] = [];
  session.disk.observe = ({ kind, path }) => {
    if (path.startsWith('blobs/') && kind !== 'writing') kinds.push(kind);
  };
  await session.run(step);
  session.disk.observe = () => undefined;
  return kinds;
}

t.test('what is not overwritten of a chunk is cloned', async (t) => {
  const session = await opened(SHARED);
  const writes: [string, number, number, DiskOperationKind[]][] = [
    ['blocks in the middle of a chunk', 69_632, 8192, ['create', 'clone', 'clone', 'write']],
    ['the same once more', 69_632, 8192, ['write']],
    ['a whole chunk', 0, 65_536, ['write']],
    ['parts of blocks', 131_073, 4096, ['read', 'write', 'clone', 'read', 'write', 'write']],
    [
      'before the end of the file, which is within a block',
      290_000,
      10,
      ['clone', 'read', 'write', 'clone', 'read', 'write', 'read', 'write', 'write'],
    ],
  ];
  for (const [name, at, length, expected] of writes) {
    const kinds = await onBlobs(session, { op: 'write', path: 'a', at, length });
    t.same(kinds, expected, name);
  }
  await session.compare();
  t.equal(structuralProblem(session.store, session.disk), undefined);
  await session.abandon();
});

const inMiddle: Step = { op: 'write', path: 'a', at: 69_632, length: 8192 };
const COPIED = ['create', 'read', 'write', 'read', 'write', 'write'];

t.test('it is copied where the disk has no reflinks', async (t) => {
  const session = await opened(SHARED, false);
  t.same(await onBlobs(session, inMiddle), COPIED);
  await session.compare();
  await session.abandon();
});

t.test('it is copied while the snapshot is not durable, because a clone would wait for that', async (t) => {
  const session = await opened([...SHARED.slice(0, 2), { op: 'startSnapshot', name: 's' }]);
  t.same(await onBlobs(session, inMiddle), COPIED);
  await session.compare();
  await session.abandon();
});

t.test('it is copied where fallocate has set space aside, which a clone would give away', async (t) => {
  const session = await opened([...SHARED, { op: 'allocate', path: 'a', at: 0, length: 300_000 }]);
  t.same(await onBlobs(session, inMiddle), COPIED.slice(1));
  await session.compare();
  await session.abandon();
});

for (const code of ['EIO', 'ENOSPC']) {
  for (const kind of ['clone', 'writing', 'write'] as const) {
    for (let count = 0; count < 2; count++) {
      t.test(`${code} at ${kind} ${count} leaves the file as the snapshot has it`, async (t) => {
        const session = await opened(SHARED);
        let seen = 0;
        session.disk.observe = ({ kind: done, path }) => {
          if (path.startsWith('blobs/') && done === kind && seen++ === count) throw new DiskError(code, kind, path);
        };
        const step: Step = { op: 'write', path: 'a', at: 69_633, length: 8192 };
        await t.rejects(session.run(step));
        session.takeBack();
        session.disk.observe = () => undefined;
        await session.compare();
        await session.run(step);
        await session.run({ op: 'truncate', path: 'a', size: 65_600 });
        await session.run({ op: 'truncate', path: 'a', size: 300_000 });
        await session.compare();
        t.equal(structuralProblem(session.store, session.disk), undefined);
        await session.abandon();
      });
    }
  }
}
