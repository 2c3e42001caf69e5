/**
 * The log by itself, on a simulated disk: records of all lengths come back, and one that was not written whole never does.
 */
import t from 'tap';
import { DiskError } from '../../src/store/disk.js';
import { asLsn, type Lsn } from '../../src/store/units.js';
import { Log } from '../../src/wal/log.js';
import { LOSE_ALL } from '../crash/fates.js';
import { SimulatedDisk } from '../crash/simulated-disk.js';
import { Random } from '../random.js';

const UUID = 'ab'.repeat(16);
const SEGMENT_BYTES = 256 * 1024;
const TYPE = 7;

/** A log that has been started on a disk, at its beginning. */
function startedLog(disk = new SimulatedDisk()): Log {
  const log = Log.open(disk, UUID, SEGMENT_BYTES, false);
  log.startAt(asLsn(0), asLsn(0));
  return log;
}

function append(log: Log, data: Uint8Array): Lsn {
  log.reserve(4 + data.length);
  log.begin(TYPE, 0, 0).bytes(data);
  return log.finish();
}

/** The data of the records that a process finds which opens the log of this disk. */
const found = (disk: SimulatedDisk): string[] =>
  [...Log.open(disk, UUID, SEGMENT_BYTES, true).records(asLsn(0))].map(({ fields }) =>
    Buffer.from(fields.bytes()).toString('base64'),
  );

t.test('records of all lengths, over several segments, in order', async (t) => {
  const random = Random.announced(t);
  const disk = new SimulatedDisk();
  const log = startedLog(disk);
  const lengths = [0, 1, 4060, 4064, 65_500, 100_000, SEGMENT_BYTES - 4096 - 36];
  for (let i = 0; i < 300; i++) lengths.push(random.below(random.pick([100, 5000, 30_000])));
  const data = lengths.map((length) => Buffer.from(Array.from({ length }, () => random.below(256))));
  for (const bytes of data) append(log, bytes);
  t.ok(log.byteLength >= 5 * SEGMENT_BYTES);
  t.strictSame(
    found(disk.afterProcessDeath()),
    data.map((bytes) => bytes.toString('base64')),
  );
});

t.test('a record is there for the next process once `finish` has returned, and not before', async (t) => {
  t.plan(3);
  const disk = new SimulatedDisk();
  const log = startedLog(disk);
  append(log, Buffer.from('first'));
  log.reserve(10_000);
  log.begin(TYPE, 0, 0).bytes(Buffer.alloc(9000, 1));
  t.equal(found(disk.afterProcessDeath()).length, 1, 'one that has only begun');
  disk.observe = ({ kind }) => {
    if (kind === 'writing') t.equal(found(disk.afterProcessDeath()).length, 1, 'one of which a page is written');
  };
  log.finish();
  t.equal(found(disk.afterProcessDeath()).length, 2);
});

t.test('a record that could not be written does not count, and the next takes its place', async (t) => {
  for (const failing of ['write', 'writing'] as const) {
    const disk = new SimulatedDisk();
    const log = startedLog(disk);
    append(log, Buffer.from('first'));
    const { tail } = log;
    disk.observe = ({ kind, path }) => {
      if (kind === failing) throw new DiskError('EIO', 'pwrite', path);
    };
    t.throws(() => append(log, Buffer.alloc(9000, 1)), DiskError, failing);
    disk.observe = () => undefined;
    t.equal(log.tail, tail);
    t.equal(found(disk.afterProcessDeath()).length, 1);
    t.equal(append(log, Buffer.from('second')), tail);
    const texts = found(disk.afterProcessDeath()).map((data) => Buffer.from(data, 'base64').toString());
    t.strictSame(texts, ['first', 'second']);
  }
});

t.test('a file whose maker died before its name was durable is as good as any other', async (t) => {
  const disk = new SimulatedDisk();
  let before: SimulatedDisk | undefined;
  disk.observe = ({ kind, path }) => {
    if (kind === 'syncDirectory' && path === 'wal') before = disk.afterProcessDeath();
  };
  startedLog(disk);
  t.ok(before);
  if (before === undefined) return;
  const log = startedLog(before);
  append(log, Buffer.from('first'));
  log.syncNow();
  t.equal(found(before.afterPowerLoss(LOSE_ALL)).length, 1);
});

t.test('a segment whose header could not be written stays free', async (t) => {
  const disk = new SimulatedDisk();
  const log = Log.open(disk, UUID, SEGMENT_BYTES, false);
  let isMade = false;
  disk.observe = ({ kind, path }) => {
    if (kind === 'syncDirectory') isMade = path === 'wal';
    else if (kind === 'write' && isMade) throw new DiskError('EIO', 'pwrite', path);
  };
  t.throws(() => log.startAt(asLsn(0), asLsn(0)), DiskError);
  disk.observe = () => undefined;
  t.equal(found(disk.afterProcessDeath()).length, 0);
  log.startAt(asLsn(0), asLsn(0));
  append(log, Buffer.from('first'));
  t.equal(found(disk.afterProcessDeath()).length, 1);
});
