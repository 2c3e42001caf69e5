/**
 * Scrubs of mounted stores: sound ones, and ones with damage of each kind under the mount.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { EXIT } from '../../src/cli/exit-codes.js';
import { razorfs } from '../cli/program.js';
import { Place } from './mounting.js';

/** Changes bytes of a store's file where `pattern` stands, every time that it does. Returns how often that was. */
function damage(file: string, pattern: string): number {
  const bytes = readFileSync(file);
  const fd = openSync(file, 'r+');
  let count = 0;
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) {
    writeSync(fd, 'DAMAGED', at);
    count++;
  }
  closeSync(fd);
  return count;
}

const PAGE_BYTES = 4096;

/** The root of the volume `main`: the first word of its record in the catalog, which is one leaf (volume/dataset.ts). */
function rootOfMain(nodes: Buffer, catalog: number): number {
  const KIND_DATASET = 20;
  const at = catalog * PAGE_BYTES;
  for (let slot = at + 32; slot < at + PAGE_BYTES; slot += 20) {
    if (nodes[slot + 11] === KIND_DATASET) return nodes.readUInt32LE(at + nodes.readUInt16LE(slot + 16));
  }
  throw new Error('no record of main');
}

/** The number of a leaf in the middle of the volume `main`, by the formats of the superblock and of pages. */
function leafInTheMiddle(store: string): number {
  const superblock = readFileSync(path.join(store, 'superblock'));
  const sequence = (slot: number): bigint => superblock.readBigUInt64LE(slot * PAGE_BYTES + 32);
  const slot = sequence(0) > sequence(1) ? 0 : 1;
  const nodes = readFileSync(path.join(store, 'nodes.dat'));
  let page = rootOfMain(nodes, Number(superblock.readBigUInt64LE(slot * PAGE_BYTES + 56)));
  for (let at = page * PAGE_BYTES; nodes.readUInt16LE(at + 12) > 0; at = page * PAGE_BYTES) {
    page = nodes.readUInt32LE(at + 32 + Math.floor(nodes.readUInt16LE(at + 14) / 2) * 24 + 16);
  }
  return page;
}

async function scrub(place: Place, ...words: string[]) {
  const { code, stdout } = await razorfs(['scrub', '--json', '--rate', '0', ...words, place.mountPoint]);
  return { code, ...JSON.parse(stdout) };
}

t.test('a sound store', async (t) => {
  const place = new Place(t);
  await place.mounted();
  for (let index = 0; index < 500; index++) {
    writeFileSync(path.join(place.mountPoint, `small ${index}`), Buffer.alloc(1000, index));
  }
  writeFileSync(path.join(place.mountPoint, 'large'), Buffer.alloc(5_000_000));
  // Mostly a hole, which nobody has the time to read.
  const sparse = openSync(path.join(place.mountPoint, 'sparse'), 'w');
  writeSync(sparse, Buffer.alloc(100_000, 1), 0, 100_000, 2 ** 42);
  closeSync(sparse);
  const result = await scrub(place);
  t.match(result, { code: EXIT.success, state: 'done', progress: 1, problems: 0, findings: [], inodes: 503 });
  t.ok(result.bytes > 5_500_000, `${result.bytes} bytes were read`);
  const human = await razorfs(['scrub', place.mountPoint]);
  t.match(human.stdout, /^503 inodes, .* read in .*: OK\n$/);
  t.match(readFileSync(path.join(place.store, 'razorfs.log'), 'utf8'), 'scrub ended');
  t.match(await razorfs(['scrub', '--rate', 'fast', place.mountPoint]), { code: EXIT.usage });
  await place.umount();
  t.match(await razorfs(['scrub', place.mountPoint]), { code: EXIT.notMounted, stderr: /razorfsck/ });
});

t.test('damage is found, told, and answered with EIO for what it hit alone', async (t) => {
  const place = new Place(t);
  await place.mounted();
  mkdirSync(path.join(place.mountPoint, 'directory'));
  for (let index = 0; index < 200; index++) {
    writeFileSync(path.join(place.mountPoint, `file ${index}`), `content of file number ${index}, `.repeat(20));
  }
  writeFileSync(path.join(place.mountPoint, 'directory/BROKEN-NAME'), 'x');
  await place.umount();
  await place.mounted();
  t.equal(damage(path.join(place.store, 'packs/0'), 'content of file number 77, content') > 0, true);
  t.equal(damage(path.join(place.store, 'strings.dat'), 'BROKEN-NAME'), 1);
  const result = await scrub(place);
  t.match(result, { code: EXIT.store, state: 'done', problems: 2 });
  const [first, second] = result.findings.map(({ where, problem }: { where: string; problem: string }) => [
    where,
    problem,
  ]);
  t.match([first, second].sort(), [
    [/^pack extent at \d+$/, 'checksum does not match'],
    [/^string at \d+$/, 'checksum does not match'],
  ]);
  t.throws(() => readFileSync(path.join(place.mountPoint, 'file 77')), { code: 'EIO' });
  t.match(readFileSync(path.join(place.mountPoint, 'file 78'), 'utf8'), 'content of file number 78');
  writeFileSync(path.join(place.mountPoint, 'still writable'), 'yes');
  t.match(readFileSync(path.join(place.store, 'razorfs.log'), 'utf8'), /pack extent at \d+/);
});

t.test('damaged pages are passed by', async (t) => {
  const place = new Place(t);
  await place.mounted();
  for (let index = 0; index < 3000; index++) {
    writeFileSync(path.join(place.mountPoint, `file ${index}`), '');
  }
  await place.umount();
  await place.mounted();
  const page = leafInTheMiddle(place.store);
  const fd = openSync(path.join(place.store, 'nodes.dat'), 'r+');
  writeSync(fd, 'DAMAGED', page * PAGE_BYTES + 2000);
  closeSync(fd);
  const result = await scrub(place);
  t.equal(result.state, 'done');
  t.ok(result.inodes > 2500, `${result.inodes} inodes were reached`);
  t.match(result.findings, [{ where: `page ${page}`, problem: 'checksum does not match' }]);
});
