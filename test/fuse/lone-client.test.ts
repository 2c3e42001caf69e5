/** Whether a sync is done at once or left to another thread: by who else uses the mount. On a real mount, with threads as clients. */
import t from 'tap';
import { MemoryFileSystem } from './memory-file-system.js';
import { serveMount } from './served-mount.js';

/** Requests that the session looks at together, and some that programs make beside their syncs. */
const WINDOW = 128;
const OTHER_REQUESTS_MAX = 28;
const SYNCS = 4 * WINDOW;

/** Syncs by one thread, then by two in turns, then by one again; a line after each. */
const CLIENTS = `
import os, sys, threading
fd = os.open('f', os.O_CREAT | os.O_RDWR)
def alone():
    for _ in range(${SYNCS}): os.fsync(fd)
turns = [threading.Semaphore(1), threading.Semaphore(0)]
def in_turns(own):
    for _ in range(${SYNCS / 2}):
        turns[own].acquire()
        os.fsync(fd)
        turns[1 - own].release()
alone()
threads = [threading.Thread(target=in_turns, args=(own,)) for own in (0, 1)]
for thread in threads: thread.start()
for thread in threads: thread.join()
alone()
`;

t.test('one client is served at once, several are not, and at first nobody knows', async (t) => {
  const filesystem = new MemoryFileSystem();
  const syncs: ('at once' | 'later')[] = [];
  filesystem.syncAtOnce = () => {
    syncs.push('at once');
    return true;
  };
  filesystem.sync = async () => {
    syncs.push('later');
  };
  const mount = await serveMount(t, filesystem);
  await mount.shell(`python3 -I - <<'END'\n${CLIENTS}\nEND`);
  t.same(await mount.unmount(), { reason: 'unmounted' });
  t.same(mount.failures, []);

  t.equal(syncs.length, 3 * SYNCS, 'each is done once');
  const first = syncs.indexOf('at once');
  t.ok(first >= WINDOW - OTHER_REQUESTS_MAX, `the first ${first} are not done at once`);
  t.ok(first <= 2 * WINDOW, 'nor are there many such');
  const kinds = (from: number, to: number): string[] => [...new Set(syncs.slice(from, to))];
  t.same(kinds(2 * WINDOW, SYNCS), ['at once'], 'by one thread');
  t.same(kinds(SYNCS + 2 * WINDOW, 2 * SYNCS), ['later'], 'by two in turns');
  t.same(kinds(2 * SYNCS + 2 * WINDOW, 3 * SYNCS), ['at once'], 'by one again');
});
