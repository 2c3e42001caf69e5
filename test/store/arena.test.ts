/** Arenas: where records go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ARENA_SEGMENT_HEADER_BYTES, Arena, recordBytes } from '../../src/store/arena.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { type Address, NO_ADDRESS } from '../../src/store/units.js';

const SEGMENT_BYTES = 256 * 1024;
const OWNER = { object: 7, kind: 3, minor: 64 };

function arenaIn(directory: string, end: Address): Arena {
  const segmentName = (index: number): string => `arena.${index}`;
  const options = { recordName: 'record', segmentName, segmentBytes: SEGMENT_BYTES, readOnly: false };
  return new Arena(new HostDisk(directory), end, options);
}

function temporaryDirectory(test: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'razorfs-arena-'));
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

t.test('a record may fill its segment to the last byte', async (t) => {
  const directory = temporaryDirectory(t);
  const payload = new Uint8Array((SEGMENT_BYTES - ARENA_SEGMENT_HEADER_BYTES) / 4 - recordBytes(0)).fill(5);
  const arena = arenaIn(directory, NO_ADDRESS);
  const append = (into: Arena): Address => {
    into.reserve(recordBytes(payload.length));
    return into.append(OWNER, payload);
  };
  const addresses = [1, 2, 3, 4, 5].map(() => append(arena));
  t.equal(
    addresses[4],
    SEGMENT_BYTES + ARENA_SEGMENT_HEADER_BYTES,
    'the next one begins after the header of the next segment',
  );
  for (const address of addresses) t.strictSame(Uint8Array.from(arena.read(address)), payload);
  await arena.sync();
  arena.close();

  // As an earlier version left the end in the superblock.
  const reopened = arenaIn(directory, SEGMENT_BYTES as Address);
  t.equal(append(reopened), SEGMENT_BYTES + ARENA_SEGMENT_HEADER_BYTES);
  reopened.close();
});
