/**
 * Bugs of the kind that a filesystem must not have, planted from outside into the real code, to see that the crash tests find them.
 *
 * Each is a method replaced; `plant` returns what takes the bug out again. The product has no switch for any of them.
 */
import { BlobStore } from '../../src/blobs/blob-store.js';
import { SuperblockFile } from '../../src/store/superblock.js';
import type { PageNumber } from '../../src/store/units.js';
import { PageFile } from '../../src/tree/page-file.js';
import { PageStore } from '../../src/tree/page-store.js';
import { References } from '../../src/tree/references.js';
import { Committer } from '../../src/volume/committer.js';
import { RecordReferences } from '../../src/volume/record-references.js';
import { Volume } from '../../src/volume/volume.js';
import { Log } from '../../src/wal/log.js';
import { LogSegment } from '../../src/wal/segment.js';
import { SimulatedDisk } from './simulated-disk.js';

export interface PlantedBug {
  readonly name: string;
  /** A random history that shows it soon, where few do. */
  readonly seed?: number;
  /** It is about snapshots, and looked for in histories that have them. */
  readonly isOfSnapshots?: boolean;
  readonly plant: () => () => void;
}

type Method = (...parameters: never[]) => unknown;

/** Replaces a method of a class; returns what puts it back. */
function replace<Class extends object, Name extends keyof Class>(
  prototype: Class,
  name: Name,
  make: (original: Class[Name]) => Class[Name] & ThisType<Class>,
): () => void {
  const original = prototype[name];
  prototype[name] = make(original);
  return () => {
    prototype[name] = original;
  };
}

const all =
  (...restores: (() => void)[]): (() => void) =>
  () => {
    for (const restore of restores) restore();
  };

/** A record that is written only when the next one begins, or the log is synced. */
function delayRecords(): () => void {
  let write = (): void => undefined;
  const writeFirst = <Original extends Method>(original: Original): Original =>
    function (this: unknown, ...parameters: never[]): unknown {
      write();
      write = () => undefined;
      return original.apply(this, parameters);
    } as unknown as Original;
  return all(
    replace(
      LogSegment.prototype,
      'append',
      (original) =>
        function (this: LogSegment, record: Uint8Array, length: number, at: number): void {
          const copy = record.slice(0, length);
          write = () => original.call(this, copy, length, at);
        },
    ),
    replace(Log.prototype, 'begin', writeFirst),
    replace(Log.prototype, 'sync', writeFirst),
    replace(Log.prototype, 'syncNow', writeFirst),
  );
}

/**
 * A checkpoint gives up the pages of its predecessor when it begins. They are the next to be used, as they might be on a full
 * store: with many free pages, which are used in turn, this would show in few histories.
 */
function freePagesEarly(): () => void {
  const finish = PageStore.prototype.finishCheckpoint;
  let freed = new Set<PageNumber>();
  return all(
    replace(
      PageStore.prototype,
      'beginCheckpoint',
      (original) =>
        function (this: PageStore) {
          const checkpoint = original.call(this);
          finish.call(this, checkpoint);
          freed = new Set(checkpoint.freed);
          return checkpoint;
        },
    ),
    replace(PageStore.prototype, 'finishCheckpoint', () => () => undefined),
    replace(
      References.prototype,
      'allocate',
      (original) =>
        function (this: References) {
          const passed: PageNumber[] = [];
          let page = original.call(this);
          while (freed.size > 0 && !freed.has(page) && this.free > 0) {
            passed.push(page);
            page = original.call(this);
          }
          freed.delete(page);
          for (const other of passed) this.decrement(other, false);
          return page;
        },
    ),
  );
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'the log is not synced before an fsync replies',
    plant: () => replace(Log.prototype, 'sync', () => async () => undefined),
  },
  {
    name: 'the log is synced after the superblock only',
    plant: () => {
      let syncLater = async (): Promise<void> => undefined;
      return all(
        replace(
          Log.prototype,
          'sync',
          (original) =>
            async function (this: Log) {
              syncLater = () => original.call(this);
            },
        ),
        replace(
          SuperblockFile.prototype,
          'write',
          (original) =>
            async function (this: SuperblockFile, superblock) {
              await original.call(this, superblock);
              await syncLater();
            },
        ),
      );
    },
  },
  {
    name: 'a page is changed in place',
    plant: () => replace(PageStore.prototype, 'writable', () => (page) => page),
  },
  { name: 'a reply goes out before the log record is written', plant: delayRecords },
  {
    name: 'a checkpoint frees pages one epoch early',
    plant: freePagesEarly,
  },
  {
    name: 'the barrier of a rename is ignored',
    plant: () =>
      replace(
        Volume.prototype,
        'perform',
        (original) =>
          function (this: Volume, operation, request, logged) {
            const without =
              operation.type === 'rename' ? { ...operation, barrier: 0 as typeof operation.barrier } : operation;
            original.call(this, without, request, logged);
          },
      ),
  },
  {
    name: 'a blob is cut before the log is durable',
    plant: () =>
      replace(
        BlobStore.prototype,
        'cutLater',
        () =>
          function (this: BlobStore, id, size) {
            if (this.file(id).size() > size) this.file(id).truncate(size);
          },
      ),
  },
  {
    name: 'a blob is cut for a growth without a commit before it',
    plant: () => replace(Committer.prototype, 'commitNow', () => () => undefined),
  },
  {
    name: 'the superblock is written before the pages are durable',
    plant: () => replace(PageFile.prototype, 'sync', () => async () => undefined),
  },
  {
    name: 'an fsync does not sync the blob',
    plant: () => replace(BlobStore.prototype, 'isUnsynced', () => () => false),
  },
  {
    name: 'names in directories are not synced',
    plant: () => replace(SimulatedDisk.prototype, 'syncDirectory', () => () => undefined),
  },
  {
    name: 'a superblock found after the death of the process is taken for durable',
    seed: 670,
    plant: () => replace(SuperblockFile.prototype, 'syncNow', () => () => undefined),
  },
  {
    name: 'data of a process that died is taken for durable',
    plant: () => replace(BlobStore.prototype, 'adopt', () => () => undefined),
  },
  {
    name: 'an overwrite is not logged although the blob was synced since the last one',
    plant: () => replace(BlobStore.prototype, 'isLogged', () => () => true),
  },
  {
    name: 'a snapshot counts before the data in it is durable',
    isOfSnapshots: true,
    plant: () =>
      replace(
        Committer.prototype,
        'addBarrier',
        (original) =>
          function (this: Committer, blob) {
            if (blob !== 'all') original.call(this, blob);
          },
      ),
  },
  {
    name: 'records of copied leaves are not counted',
    isOfSnapshots: true,
    plant: () => replace(RecordReferences.prototype, 'add', () => () => undefined),
  },
  {
    name: 'a blob that a snapshot has is written in place',
    isOfSnapshots: true,
    plant: () => replace(Volume.prototype, 'isShared', () => () => false),
  },
  {
    name: 'a chunk is taken over before the copy of it is durable',
    isOfSnapshots: true,
    plant: () =>
      replace(
        Committer.prototype,
        'addBarrier',
        () =>
          function (this: Committer) {
            // No record waits for data.
          },
      ),
  },
  {
    name: 'recovery begins its log where it found the old one',
    plant: () =>
      replace(
        Log.prototype,
        'startAt',
        (original) =>
          function (this: Log, lsn) {
            original.call(this, lsn, lsn);
          },
      ),
  },
];
