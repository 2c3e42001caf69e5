/** Syncs of one file at the same time, one of which is told of a failure. */
import t from 'tap';
import { FileSyncs } from '../../src/store/file-syncs.js';

const EIO = -5;

/** A sync on another thread that ends when the test says so. */
class Sync {
  end: (result: number) => void = () => undefined;
  readonly result: Promise<number>;

  constructor(syncs: FileSyncs) {
    const ended = new Promise<number>((resolve) => {
      this.end = resolve;
    });
    this.result = syncs.inBackground(() => ended);
  }
}

for (const failing of [0, 1]) {
  t.test(`of two at the same time both fail, whichever is told (${failing})`, async (t) => {
    const syncs = new FileSyncs();
    const both = [new Sync(syncs), new Sync(syncs)];
    both[1 - failing]!.end(0);
    await new Promise((resolve) => setImmediate(resolve));
    both[failing]!.end(EIO);
    t.same(await Promise.all(both.map(({ result }) => result)), [EIO, EIO]);
  });
}

t.test('one on another thread fails with one at once in the meantime', async (t) => {
  const syncs = new FileSyncs();
  const sync = new Sync(syncs);
  t.equal(
    syncs.atOnce(() => EIO),
    EIO,
  );
  sync.end(0);
  t.equal(await sync.result, EIO);
});

t.test('after a failure none succeeds, and the file is not synced', async (t) => {
  const syncs = new FileSyncs();
  const sync = new Sync(syncs);
  sync.end(EIO);
  t.equal(await sync.result, EIO);
  let calls = 0;
  const count = (): number => calls++;
  t.equal(syncs.atOnce(count), EIO);
  t.equal(await syncs.inBackground(async () => count()), EIO);
  t.equal(calls, 0);
});

t.test('one that ended before another began does not wait for it', async (t) => {
  const syncs = new FileSyncs();
  const first = new Sync(syncs);
  first.end(0);
  t.equal(await first.result, 0);
  const second = new Sync(syncs);
  t.equal(
    syncs.atOnce(() => 0),
    0,
  );
  second.end(0);
  t.equal(await second.result, 0);
});
