/** Truncation to the size that a file has. */
import t from 'tap';
import { Attributes } from '../../src/filesystem/attributes.js';
import { CALLER, ServedVolume } from '../volume/served-volume.js';

const MIB = 1024 * 1024;
const SIZE = 100_000;

t.test('truncation that is repeated frees what the first one cut off', async (t) => {
  const served = await ServedVolume.make(t);
  const { filesystem } = served;
  const ino = served.makeFile('f', new Uint8Array(MIB).fill(1));
  const out = new Attributes();
  filesystem.setAttributes(ino, { mode: 0o4755 }, CALLER, out);
  await filesystem.sync(ino);
  filesystem.setAttributes(ino, { size: SIZE }, CALLER, out);
  filesystem.setAttributes(ino, { size: SIZE, killPrivileges: true }, { ...CALLER, uid: 7 }, out);
  t.equal(out.mode & 0o7777, 0o755);
  await filesystem.sync(ino);
  filesystem.getAttributes(ino, out);
  t.equal(out.size, SIZE);
  t.ok(out.blocks * 512 < 2 * SIZE, `${out.blocks} blocks`);
  await served.store.close();
});

t.test('truncation to the size that a file has moves no times, where the caller keeps them', async (t) => {
  const served = await ServedVolume.make(t);
  const { filesystem } = served;
  const time = { seconds: 1000, nanoseconds: 5 };
  for (const size of [0, 50, SIZE]) {
    const ino = served.makeFile(`${size}`, new Uint8Array(size).fill(1));
    const [before, after] = [new Attributes(), new Attributes()];
    filesystem.setAttributes(ino, { mtime: time, ctime: time }, CALLER, before);
    filesystem.setAttributes(ino, { size, isTimed: true }, CALLER, after);
    t.strictSame(after, before, `${size} bytes`);
    filesystem.setAttributes(ino, { size }, CALLER, after);
    t.ok(after.mtimeSeconds > time.seconds && after.ctimeSeconds > time.seconds, `${size} bytes`);
  }
  await served.store.close();
});
