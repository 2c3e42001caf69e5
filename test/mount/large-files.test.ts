/**
 * Large files under way in both directions while the serving process is killed: every byte is what was written.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ROOT, run } from '../cli/program.js';
import { Place } from './mounting.js';
import { killWorker } from './worker-kills.js';

const CLIENTS = 3;
/** Not so many that the supervisor gives up. */
const KILLS = 4;
/** Milliseconds of work before each kill. */
const PAUSE_MS = 500;

t.test('large files while the serving process is killed', async (t) => {
  const place = new Place(t);
  await place.mounted();
  const program = path.join(ROOT, 'test/mount/large_files.py');
  const end = path.join(place.store, '..', 'end');
  const clients = Array.from({ length: CLIENTS }, (_, client) =>
    run('python3', [program, path.join(place.mountPoint, `client-${client}`), end, place.store]),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    await killWorker(place.store);
  }
  writeFileSync(end, '');
  for (const { code, stdout, stderr } of await Promise.all(clients)) {
    t.equal(code, 0, stderr);
    t.ok(Number(stdout) > 0, `${stdout.trim()} rounds`);
  }
  await place.umount();
});
