import t from 'tap';
import { asIno, ROOT_INO } from '../../src/store/units.js';
import { Inode } from '../../src/volume/inode.js';
import {
  KIND_DIRENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_SYMLINK,
  readU64,
  VOLUME_OBJECT,
  writeU64,
} from '../../src/volume/items.js';
import type { VolumeState } from '../../src/volume/state.js';
import { tamper } from './damage.js';
import {
  type Cases,
  firstOf,
  hasBlob,
  hasExtent,
  isDirectory,
  isFile,
  lastFileEntry,
  onInode,
  testCases,
} from './damage-case.js';

function firstEntryTo(state: VolumeState, directory: number, ino: number): number {
  for (let found = state.tree.seek(directory, KIND_DIRENT, 0); found; found = state.tree.next()) {
    if (state.tree.isAt(directory, KIND_DIRENT) && readU64(state.tree.words, state.tree.valueWord) === ino)
      return state.tree.minor;
  }
  throw new Error('no such entry');
}

const CASES: Cases = {
  'a link count': { plant: onInode((inode) => (inode.nlink = 9), isFile), finds: 'link-count', only: true },
  'a link count of a directory': {
    plant: onInode((inode) => (inode.nlink = 9), isDirectory),
    finds: 'link-count',
    only: true,
  },
  'a count of entries': {
    plant: onInode((inode) => (inode.entries = 9000), isDirectory),
    finds: 'entry-count',
    only: true,
  },
  'a count of extended attributes': {
    plant: onInode((inode) => (inode.xattrs = 3), isFile),
    finds: 'xattr-count',
    only: true,
  },
  'the parent of a directory': {
    plant: onInode((inode) => (inode.parent = asIno(77)), isDirectory),
    finds: 'parent',
    only: true,
  },
  'a type that does not exist': {
    plant: onInode((inode) => (inode.mode = 0o030644), hasBlob),
    finds: 'inode-record',
    lostMax: 1,
  },
  nanoseconds: {
    plant: onInode((inode) => (inode.atimeNanoseconds = 2_000_000_000), isFile),
    finds: 'inode-record',
    only: true,
  },
  'data in no place that exists': {
    plant: onInode((inode) => (inode.storage = 7), hasBlob),
    finds: 'inode-record',
    lostMax: 1,
    puts: /lost$/,
  },
  'more data than the size': {
    plant: onInode((inode, state) => {
      state.dataset.dataBytes -= 10;
      inode.size -= 10;
    }, hasExtent),
    finds: 'extent-length',
    only: true,
    lostMax: 1,
  },
  'an inode that is gone': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object } = firstOf(state, KIND_SYMLINK);
        state.tree.remove(object, KIND_INODE, 0);
        state.dataset.inodes--;
      }),
    finds: 'lost-record',
    lostMax: 1,
  },
  'the record of a directory': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const inode = new Inode();
        for (let ino = 3; !(inode.load(state.tree, asIno(ino)) && isDirectory(inode)); ino++);
        state.tree.remove(inode.ino, KIND_INODE, 0);
        state.dataset.inodes--;
      }),
    finds: 'lost-record',
    lostMax: 2,
  },
  'the root directory': {
    plant: (directory) =>
      tamper(directory, (state) => {
        state.tree.remove(ROOT_INO, KIND_INODE, 0);
        state.dataset.inodes--;
      }),
    finds: 'root',
    lostMax: 1,
  },
  'an entry that leads nowhere': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = firstOf(state, KIND_DIRENT);
        state.tree.modify(object, KIND_DIRENT, minor);
        writeU64(state.tree.words, state.tree.valueWord, 1_000_000);
      }),
    finds: 'dangling-entry',
    lostMax: 120,
    puts: /^#\d+$/,
  },
  'an entry of another type': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = firstOf(state, KIND_DIRENT);
        state.tree.modify(object, KIND_DIRENT, minor);
        state.tree.words[state.tree.valueWord + 4] = 2;
      }),
    finds: 'entry-type',
    only: true,
  },
  'an inode without a name': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const { object, minor } = lastFileEntry(state);
        state.tree.find(object, KIND_DIRENT, minor);
        state.strings.release(state.entries.nameAddress());
        state.tree.remove(object, KIND_DIRENT, minor);
        const inode = new Inode();
        inode.load(state.tree, asIno(object));
        inode.entries--;
        inode.store(state.tree);
      }),
    finds: 'unreachable',
    only: true,
    lostMax: 2,
    puts: /^#\d+$/,
  },
  'a directory in itself': {
    plant: (directory) =>
      tamper(directory, (state) => {
        // The entry of /a/directory 50 … is pointed to the directory above it.
        const inode = new Inode();
        let ino = 2;
        for (; ; ino++) {
          if (inode.load(state.tree, asIno(ino)) && isDirectory(inode) && inode.parent !== ROOT_INO) break;
        }
        const above = inode.parent;
        const name = firstEntryTo(state, ROOT_INO, above);
        state.tree.find(ROOT_INO, KIND_DIRENT, name);
        state.strings.release(state.entries.nameAddress());
        state.tree.remove(ROOT_INO, KIND_DIRENT, name);
        const minor = state.entries.find(ino, Buffer.from('loop')) < 0 ? state.entries.freeMinor : 0;
        const address = state.strings.add({ object: ino, kind: KIND_DIRENT, minor }, Buffer.from('loop'));
        state.tree.insert(ino, KIND_DIRENT, minor, 20);
        writeU64(state.tree.words, state.tree.valueWord, above);
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
        state.tree.words[state.tree.valueWord + 4] = 4;
      }),
    finds: 'cycle',
    lostMax: 120,
    puts: /^#\d+$/,
  },
  'a directory with two names': {
    plant: (directory) =>
      tamper(directory, (state) => {
        const inode = new Inode();
        let ino = 2;
        while (!(inode.load(state.tree, asIno(ino)) && isDirectory(inode) && inode.parent !== ROOT_INO)) ino++;
        state.entries.find(ROOT_INO, Buffer.from('second'));
        const minor = state.entries.freeMinor;
        const address = state.strings.add({ object: ROOT_INO, kind: KIND_DIRENT, minor }, Buffer.from('second'));
        state.tree.insert(ROOT_INO, KIND_DIRENT, minor, 20);
        writeU64(state.tree.words, state.tree.valueWord, ino);
        writeU64(state.tree.words, state.tree.valueWord + 2, address);
        state.tree.words[state.tree.valueWord + 4] = 4;
      }),
    finds: 'directory-names',
  },
  'an orphan with a name': {
    plant: (directory) => tamper(directory, (state) => state.tree.insert(VOLUME_OBJECT, KIND_ORPHAN, 2, 0)),
    finds: 'orphan',
  },
  'an orphan that is gone': {
    plant: (directory) => tamper(directory, (state) => state.tree.insert(VOLUME_OBJECT, KIND_ORPHAN, 999_999, 0)),
    finds: 'orphan',
    only: true,
  },
};

await testCases(t, CASES);
