/**
 * Makes the kernel look again at what has changed behind its back: it believes names and attributes for ever, since all changes come
 * through it, except those of volumes and snapshots.
 */
import { ENOENT, ENOTDIR } from '../errors/errno.js';
import { Attributes } from '../filesystem/attributes.js';
import { SNAPSHOTS_DIRECTORY } from '../filesystem/control-directories.js';
import type { Namespace } from '../filesystem/namespace.js';
import { kernelHasEpochs } from '../fuse/kernel-version.js';
import { dropAllEntries, invalidateEntry, invalidateInode } from '../fuse/notify.js';
import { asIno, type Ino, ROOT_INO } from '../store/units.js';

/** Sends a notification to the kernel. Resolves with the positive errno, 0 for none. */
export type Notify = (notification: Uint8Array) => Promise<number>;

/** There is, or is no more, a snapshot of a name: `/.razorfs/snapshots` lists others. */
export async function forgetSnapshot(notify: Notify, name: string): Promise<void> {
  await notify(invalidateEntry(SNAPSHOTS_DIRECTORY, Buffer.from(name)));
  await notify(invalidateInode(SNAPSHOTS_DIRECTORY, 0, 0));
}

/**
 * A volume has another tree than before. `before`: names in its root directory then, needed without epochs (kernel-version.ts);
 * `openInodes` tells the inode numbers of open files, which are dropped from the cache, so that who has them open meets ESTALE.
 */
export async function forgetTree(
  notify: Notify,
  namespace: Namespace,
  before: readonly Buffer[],
  openInodes: () => Promise<Iterable<number>>,
): Promise<void> {
  if (kernelHasEpochs()) {
    await notify(dropAllEntries());
  } else {
    // Below a name that is dropped, nothing is found any more.
    for (const name of [...before, ...rootNames(namespace)]) await notify(invalidateEntry(ROOT_INO, name));
  }
  await notify(invalidateInode(ROOT_INO, 0, 0));
  for (const inode of await openInodes()) {
    if (inode !== ROOT_INO) await notify(invalidateInode(asIno(inode), 0, 0));
  }
}

/** What is at a path of a volume has been replaced. */
export async function forgetPath(notify: Notify, namespace: Namespace, path: string): Promise<void> {
  const names = path.split('/').map((name) => Buffer.from(name));
  const name = names.pop()!;
  const parent = nodeAt(namespace, names);
  if (parent === undefined) return;
  await notify(invalidateEntry(parent, name));
  await notify(invalidateInode(parent, 0, 0));
}

/** The node at a path, given as names from the root; undefined when there is none. */
function nodeAt(namespace: Namespace, names: readonly Uint8Array[]): Ino | undefined {
  const attributes = new Attributes();
  let node: Ino = ROOT_INO;
  try {
    for (const name of names) {
      namespace.lookup(node, name, attributes);
      node = asIno(attributes.ino);
    }
  } catch (error) {
    if (error === ENOENT || error === ENOTDIR) return undefined;
    throw error;
  }
  return node;
}

/** The names in the root directory. */
export function rootNames(namespace: Namespace): Buffer[] {
  const names: Buffer[] = [];
  namespace.readDirectory(ROOT_INO, 0, (name) => {
    names.push(Buffer.from(name));
    return true;
  });
  return names;
}
