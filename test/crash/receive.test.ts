/**
 * Crashes while a stream is received: afterwards the volume is what it was, or what was sent together with its snapshot, and the
 * store is whole; an unfinished reception is gone or can be gone on with.
 */
import t from 'tap';
import type { Store } from '../../src/volume/store.js';
import { Random } from '../random.js';
import { manifestOf } from '../transfer/manifest.js';
import { received, sent, tokenIn } from '../transfer/streams.js';
import { pattern, TreeByPath } from '../volume/tree-by-path.js';
import { newStore } from './campaign.js';
import { KEEP_ALL, LOSE_ALL, randomFate } from './fates.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { OTHER_BOOT, openStore, SAME_BOOT, settle } from './small-store.js';
import { structuralProblem } from './structure.js';

/** What the volume and its snapshots show. */
async function shown(disk: SimulatedDisk, store: Store): Promise<Map<string, string>> {
  const { catalog } = store.state;
  const volume = catalog.volumeNamed('copy')!;
  const found = new Map<string, string>();
  for (const dataset of [volume, ...catalog.snapshots(volume.id)]) {
    found.set(dataset.name, (await settle(disk, manifestOf(store, dataset))).join('\n'));
  }
  return found;
}

t.test('a crash while a stream is received', async (test) => {
  const random = Random.announced(test);
  const tree = await TreeByPath.make(test);
  tree.directory('kept');
  for (let i = 0; i < 5; i++) tree.file(`kept/${i}`, pattern(i, 100));
  tree.file('large', pattern(3, 200_000));
  const one = await tree.datasets.createSnapshot('main', 'one');
  tree.rename('kept', 'moved');
  tree.remove('moved/1');
  tree.file('new', pattern(1, 70_000));
  tree.write('large', 100_000, pattern(9, 10));
  const two = await tree.datasets.createSnapshot('main', 'two');
  const [whole, changes] = [await sent(tree.served.store, one), await sent(tree.served.store, two, one)];
  await tree.served.store.close();

  const disk = await newStore();
  const store = await openStore(disk, SAME_BOOT);
  await settle(disk, received(store, whole, { volume: 'copy' }));
  const before = (await shown(disk, store)).get('copy');
  const crashes: SimulatedDisk[] = [];
  disk.observe = () => {
    crashes.push(disk.afterProcessDeath());
  };
  await settle(disk, received(store, changes, { isResumable: true }));
  crashes.push(disk.afterProcessDeath());
  disk.observe = () => undefined;
  const after = (await shown(disk, store)).get('copy');
  test.not(before, after);
  await settle(disk, store.close());

  const seen = { before: 0, after: 0, tokens: 0 };
  for (const crashed of crashes) {
    const fates = [undefined, LOSE_ALL, KEEP_ALL, randomFate(random)];
    for (const fate of fates) {
      const found = fate === undefined ? crashed.afterProcessDeath() : crashed.afterPowerLoss(fate);
      const recovered = await openStore(found, fate === undefined ? SAME_BOOT : OTHER_BOOT);
      const shows = await shown(found, recovered);
      const isAfter = shows.has('two');
      const [now, snapshot] = [shows.get('copy'), shows.get('two')];
      if (isAfter ? now !== after || snapshot !== after : now !== before)
        test.fail('neither the one state nor the other');
      if (shows.get('one') !== before) test.fail('the snapshot before has changed');
      const problem = structuralProblem(recovered, found);
      if (problem !== undefined) test.fail(problem);
      if (tokenIn(recovered) !== undefined) seen.tokens++;
      seen[isAfter ? 'after' : 'before']++;
      found.kill();
      await recovered.close().catch(() => undefined);
      found.dispose();
    }
  }
  test.comment(`${JSON.stringify(seen)} of ${crashes.length} crashes`);
  test.ok(seen.before > 0 && seen.after > 0, 'crashes before and after it became visible');
});
