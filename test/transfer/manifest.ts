/** Everything that can be seen of a snapshot, as text by path: what a transfer must leave the same. */
import { createHash } from 'node:crypto';
import { Errno } from '../../src/errors/errno.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { SEEK_DATA, SEEK_HOLE } from '../../src/filesystem/operations.js';
import { type Ino, ROOT_INO } from '../../src/store/units.js';
import type { Dataset } from '../../src/volume/dataset.js';
import { PinnedTree } from '../../src/volume/pinned-tree.js';
import type { Store } from '../../src/volume/store.js';

const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

/** Which files are one, by the path that comes first. */
type Links = Map<Ino, string>;

export async function manifestOf(store: Store, snapshot: Dataset): Promise<string[]> {
  const pinned = new PinnedTree(store, snapshot);
  const filesystem = new FileSystem(pinned.volume, { atime: 'noatime' });
  const lines: string[] = [];
  const links: Links = new Map();
  const waiting: { ino: Ino; path: string }[] = [{ ino: ROOT_INO, path: '/' }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { ino, path } = next;
    const out = new Attributes();
    filesystem.getAttributes(ino, out);
    lines.push(`${path} ${await describe(filesystem, out, links, path)}`);
    if (out.mode >>> 12 !== 4) continue;
    const children: { ino: Ino; path: string }[] = [];
    filesystem.readDirectory(ino, 0, (name, child) => {
      const text = Buffer.from(name).toString('latin1');
      if (text !== '.' && text !== '..') children.push({ ino: child, path: `${path}${text}/` });
      return true;
    });
    // The last is walked first: names in descending order make the walk ascend.
    waiting.push(...children.sort((a, b) => (a.path < b.path ? 1 : -1)));
  }
  pinned.release();
  return lines;
}

async function describe(filesystem: FileSystem, a: Attributes, links: Links, path: string): Promise<string> {
  // The root of a volume was made with the volume.
  const born = path === '/' ? [] : [a.btimeSeconds, a.btimeNanoseconds];
  const times = [a.atimeSeconds, a.mtimeSeconds, a.ctimeSeconds];
  const fractions = [a.atimeNanoseconds, a.mtimeNanoseconds, a.ctimeNanoseconds];
  const xattrs = filesystem
    .listExtendedAttributes(a.ino)
    .map((name) => `${Buffer.from(name)}=${sum(filesystem.getExtendedAttribute(a.ino, name))}`)
    .sort();
  const known = links.get(a.ino);
  if (known === undefined) links.set(a.ino, path);
  const own = [
    a.mode.toString(8),
    a.nlink,
    a.uid,
    a.gid,
    a.rdev,
    times,
    fractions,
    born,
    xattrs,
    `one with ${known ?? path}`,
  ];
  return `${own.join(' ')} ${await content(filesystem, a)}`;
}

async function content(filesystem: FileSystem, { ino, mode, size }: Attributes): Promise<string> {
  if (mode >>> 12 === 10) return `→ ${Buffer.from(filesystem.readSymlink(ino))}`;
  if (mode >>> 12 !== 8) return '';
  const bytes = Buffer.alloc(Math.min(size, 1_000_000));
  await filesystem.read(ino, 0, bytes.length, bytes, 0);
  return `${size} bytes ${sum(bytes)} data in ${dataBytes(filesystem, ino, size) > size / 2 ? 'most' : 'few'}`;
}

/** Bytes that are no hole. */
function dataBytes(filesystem: FileSystem, ino: Ino, size: number): number {
  let total = 0;
  for (let at = 0; at < size; ) {
    try {
      const start = filesystem.seek(ino, at, SEEK_DATA);
      const end = filesystem.seek(ino, start, SEEK_HOLE);
      total += end - start;
      at = end;
    } catch (error) {
      if (!(error instanceof Errno)) throw error;
      break;
    }
  }
  return total;
}
