/**
 * What a store shows to those who use it, read into a state of the model.
 */
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import { asIno, ROOT_INO } from '../../src/store/units.js';
import { MAIN_NAME } from '../../src/volume/dataset.js';
import { hasBlob, Inode } from '../../src/volume/inode.js';
import { isDirectory, isRegular, isSymlink } from '../../src/volume/mode.js';
import type { Store } from '../../src/volume/store.js';
import type { Volume } from '../../src/volume/volume.js';
import { type ModelInode, State } from './model-state.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Reads what the volume `main`, its snapshots and its clones show. Throws what the store throws. */
export async function readStore(store: Store): Promise<State> {
  const snapshots = new Map<string, State>();
  for (const dataset of store.state.catalog.snapshots(store.main.state.dataset.id)) {
    snapshots.set(dataset.name, new State(await readVolume(store.snapshot(dataset))));
  }
  const clones = new Map<string, State>();
  for (const { name } of store.state.catalog.volumes) {
    const volume = store.volume(name);
    if (name !== MAIN_NAME && volume !== undefined) clones.set(name, new State(await readVolume(volume)));
  }
  return new State(await readVolume(store.main), snapshots, clones);
}

/** Reads everything that has a name; with the names that it can be seen by, while there are others that are to be swept. */
async function readVolume(volume: Volume): Promise<Map<number, ModelInode>> {
  const filesystem = new FileSystem(volume, { atime: 'noatime' });
  const inodes = new Map<number, ModelInode>();
  const waiting: number[] = [ROOT_INO];
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    if (inodes.has(number)) continue;
    const inode = await readInode(volume, filesystem, number);
    inodes.set(number, inode);
    waiting.push(...inode.entries.values());
  }
  return volume.state.removed.length > 0 ? withNamesCounted(inodes) : inodes;
}

function withNamesCounted(inodes: Map<number, ModelInode>): Map<number, ModelInode> {
  const children = [...inodes.values()].flatMap(({ entries }) => [...entries.values()]);
  const names = (ino: number): number => children.filter((child) => child === ino).length;
  const counted = (inode: ModelInode): ModelInode =>
    inode.type === 'directory' ? inode : { ...inode, nlink: names(inode.ino) };
  return new Map([...inodes].map(([ino, inode]) => [ino, counted(inode)]));
}

async function readInode(volume: Volume, filesystem: FileSystem, number: number): Promise<ModelInode> {
  const ino = asIno(number);
  const attributes = new Attributes();
  filesystem.getAttributes(ino, attributes);
  const { mode, nlink, size } = attributes;
  const entries = new Map<string, number>();
  if (isDirectory(mode)) {
    filesystem.readDirectory(ino, 0, (name, child) => {
      const name_ = text(name);
      if (name_ !== '.' && name_ !== '..') entries.set(name_, child);
      return true;
    });
  }
  const content = Buffer.alloc(isRegular(mode) ? size : 0);
  if (content.length > 0) await filesystem.read(ino, 0, content.length, content, 0);
  const record = new Inode();
  record.load(volume.state.tree, ino);
  const names = filesystem.listExtendedAttributes(ino).map((name) => Buffer.from(name));
  return {
    ino: number,
    type: isDirectory(mode) ? 'directory' : isSymlink(mode) ? 'symlink' : 'file',
    mode,
    nlink,
    mtime: attributes.mtimeSeconds,
    ctime: attributes.ctimeSeconds,
    xattrs: new Map(names.map((name) => [text(name), text(filesystem.getExtendedAttribute(ino, name))])),
    content,
    isBlob: isRegular(mode) && hasBlob(record.storage),
    target: isSymlink(mode) ? text(filesystem.readSymlink(ino)) : '',
    entries,
  };
}
