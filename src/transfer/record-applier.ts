/**
 * Does to a volume what the records of a stream say, by ordinary operations: the volume is one that nobody sees yet.
 *
 * Nothing of a stream is believed: numbers must have been introduced, names and types are checked as for any caller, and what the
 * filesystem refuses makes the stream a bad one.
 *
 * Names that go are moved to a staging directory first, so that all names that come are free, in whatever way they have changed
 * places. What is left there once all names are as they should be is removed.
 */
import { randomBytes } from 'node:crypto';
import { CorruptionError } from '../errors/corruption.js';
import { EDQUOT, EIO, ENOENT, ENOSPC, EROFS, Errno } from '../errors/errno.js';
import { checkNewName, load, loadLivingDirectory } from '../filesystem/access.js';
import { Attributes } from '../filesystem/attributes.js';
import { FileSystem } from '../filesystem/filesystem.js';
import { type Caller, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from '../filesystem/operations.js';
import { DiskError } from '../store/disk.js';
import { type Ino, ROOT_INO } from '../store/units.js';
import type { Timestamp } from '../volume/inode.js';
import { isDirectory, S_IFLNK, S_IFMT } from '../volume/mode.js';
import type { Volume } from '../volume/volume.js';
import type { FieldReader } from '../wal/record.js';
import { badStream, type IncomingRecord } from './stream-reader.js';

const CALLER: Caller = { uid: 0, gid: 0, pid: 0, umask: 0, request: 0 };
const PERMISSIONS = 0o7777;
const NOT_THE_STREAMS_FAULT: ReadonlySet<Errno> = new Set([EDQUOT, EIO, ENOSPC, EROFS]);

const readTime = (fields: FieldReader): Timestamp => ({ seconds: fields.i64(), nanoseconds: fields.u32() });

/** Before the point at which a broken stream is gone on with, records only say which inodes are meant. */
export type ApplyMode = 'apply' | 'recall';

export class RecordApplier {
  readonly #volume: Volume;
  readonly #filesystem: FileSystem;
  /** The snapshot that the stream builds on, as it was. */
  readonly #base: FileSystem | undefined;
  readonly #stagingName: Uint8Array;
  #staging: Ino | undefined;
  readonly #inos = new Map<number, Ino>([[ROOT_INO, ROOT_INO]]);
  /** The names in the staging directory that inodes have. */
  readonly #staged = new Map<Ino, Uint8Array[]>();
  #detached = 0;
  readonly #out = new Attributes();

  constructor(volume: Volume, base: Volume | undefined, stagingName: string) {
    this.#volume = volume;
    this.#filesystem = new FileSystem(volume, { atime: 'noatime' });
    this.#base = base === undefined ? undefined : new FileSystem(base, { atime: 'noatime' });
    this.#stagingName = Buffer.from(stagingName);
  }

  static newStagingName(): string {
    return `.razorfs-receive-${randomBytes(16).toString('hex')}`;
  }

  /** Applies a record. Throws StoreError for what cannot be, and DiskError. */
  apply(record: IncomingRecord, mode: ApplyMode): void {
    try {
      this.#apply(record, mode);
    } catch (error) {
      if (error instanceof Errno && !NOT_THE_STREAMS_FAULT.has(error))
        throw badStream(`a record of kind "${record.type}" is refused: ${error.message}`);
      if (error instanceof CorruptionError && error.where === 'log record') throw badStream('it is damaged');
      // The host has files as large as its own file system allows.
      if (error instanceof DiskError && error.code === 'EFBIG') throw badStream('it has a file that is too large here');
      throw error;
    }
  }

  #apply({ type, fields }: IncomingRecord, mode: ApplyMode): void {
    switch (type) {
      case 'base':
        this.#introduce(fields);
        break;
      case 'detach':
        this.#detach(fields, mode);
        break;
      case 'make':
        this.#make(fields, mode);
        break;
      case 'name':
        this.#name(fields, mode);
        break;
      case 'named':
        this.#clearStaging();
        break;
      case 'size':
        this.#filesystem.setAttributes(this.#ino(fields), { size: this.#offset(fields) }, CALLER, this.#out);
        break;
      case 'data': {
        const [ino, position, bytes] = [this.#ino(fields), this.#offset(fields), fields.bytes()];
        this.#filesystem.write(ino, position, bytes.length, bytes, 0, false, CALLER);
        break;
      }
      case 'hole': {
        const [ino, position, length] = [this.#ino(fields), this.#offset(fields), this.#offset(fields)];
        this.#filesystem.allocate(ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length, CALLER);
        break;
      }
      case 'xattr':
        this.#filesystem.setExtendedAttribute(this.#ino(fields), fields.bytes(), fields.bytes(), 0, false, CALLER);
        break;
      case 'removeXattr':
        this.#filesystem.removeExtendedAttribute(this.#ino(fields), fields.bytes(), CALLER);
        break;
      case 'attributes':
        this.#attributes(fields);
        break;
      case 'begin':
      case 'resume':
      case 'end':
        throw badStream('its records are out of order');
    }
  }

  #ino(fields: FieldReader): Ino {
    const number = fields.i64();
    const ino = this.#inos.get(number);
    if (ino === undefined) throw badStream(`it uses inode ${number} before it says which that is`);
    return ino;
  }

  #offset(fields: FieldReader): number {
    const offset = fields.i64();
    if (offset < 0) throw badStream('it has a position below 0');
    return offset;
  }

  // ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A clone keeps the inode numbers of its snapshot: names are looked up there, where none has changed. */
  #introduce(fields: FieldReader): void {
    const [number, parent, mode, name] = [fields.i64(), this.#ino(fields), fields.u32(), fields.bytes()];
    if (this.#base === undefined) throw badStream('it builds on a snapshot and does not say on which');
    this.#base.lookup(parent, name, this.#out);
    if ((this.#out.mode & S_IFMT) !== (mode & S_IFMT)) throw badStream('it builds on another state than it says');
    this.#inos.set(number, this.#out.ino);
  }

  #detach(fields: FieldReader, mode: ApplyMode): void {
    const [ino, parent, name] = [this.#ino(fields), this.#ino(fields), fields.bytes()];
    const stagedName = Buffer.from(`${++this.#detached}`);
    if (mode === 'apply') {
      this.#filesystem.lookup(parent, name, this.#out);
      if (this.#out.ino !== ino) throw badStream('a name leads elsewhere than it says');
      this.#filesystem.rename(parent, name, this.#stagingDirectory(), stagedName, 0, CALLER);
    }
    this.#staged.set(ino, [...(this.#staged.get(ino) ?? []), stagedName]);
  }

  #stagingDirectory(): Ino {
    this.#staging ??= this.#findStaging();
    if (this.#staging === undefined) {
      this.#filesystem.makeDirectory(ROOT_INO, this.#stagingName, 0o700, CALLER, this.#out);
      this.#staging = this.#out.ino;
    }
    return this.#staging;
  }

  /** The staging directory that a broken stream has left. */
  #findStaging(): Ino | undefined {
    try {
      this.#filesystem.lookup(ROOT_INO, this.#stagingName, this.#out);
      return this.#out.ino;
    } catch (error) {
      if (error === ENOENT) return undefined;
      throw error;
    }
  }

  #make(fields: FieldReader, mode: ApplyMode): void {
    const [number, parent, type] = [fields.i64(), this.#ino(fields), fields.u32()];
    const [uid, gid, rdev, time] = [fields.u32(), fields.u32(), fields.u32(), readTime(fields)];
    const [name, target] = [Buffer.from(fields.bytes()), Buffer.from(fields.bytes())];
    if (this.#inos.has(number)) throw badStream(`it makes inode ${number} twice`);
    if (mode === 'recall') {
      this.#filesystem.lookup(parent, name, this.#out);
      this.#inos.set(number, this.#out.ino);
      return;
    }
    this.#checkNew(parent, name, type, target);
    const ino = this.#volume.nextIno;
    const directory = parent;
    this.#volume.perform(
      { type: 'make', ino, parent, directory, name, mode: type, uid, gid, rdev, target, xattrs: [], time },
      0,
    );
    this.#inos.set(number, ino);
  }

  #checkNew(parent: Ino, name: Uint8Array, mode: number, target: Uint8Array): void {
    const { entries } = this.#volume.state;
    loadLivingDirectory(this.#volume, parent);
    checkNewName(name);
    const isSymlink = (mode & S_IFMT) === S_IFLNK;
    if (entries.find(parent, name) >= 0) throw badStream('it makes two files of one name');
    if (
      entries.freeMinor < 0 ||
      !isFileType(mode) ||
      isSymlink !== target.length > 0 ||
      target.length > TARGET_BYTES_MAX
    )
      throw badStream('it makes a file that cannot be');
  }

  #name(fields: FieldReader, mode: ApplyMode): void {
    const [ino, parent, name] = [this.#ino(fields), this.#ino(fields), fields.bytes()];
    const staged = this.#staged.get(ino)?.pop();
    if (mode === 'recall') return;
    if (staged === undefined) this.#filesystem.link(ino, parent, name, CALLER, this.#out);
    else this.#filesystem.rename(this.#stagingDirectory(), staged, parent, name, 0, CALLER);
  }

  /** Removes what has no name any more. Directories are empty: each of their entries has been detached by itself. */
  #clearStaging(): void {
    const staging = this.#staging ?? this.#findStaging();
    if (staging === undefined) return;
    const left = [...this.#staged].flatMap(([ino, names]) => names.map((name) => ({ ino, name })));
    for (const { ino, name } of left) {
      const { mode } = load(this.#volume, ino);
      if (isDirectory(mode)) this.#filesystem.removeDirectory(staging, name, CALLER);
      else this.#filesystem.unlink(staging, name, CALLER);
      this.#filesystem.forget(ino);
    }
    this.#filesystem.removeDirectory(ROOT_INO, this.#stagingName, CALLER);
    this.#filesystem.forget(staging);
    this.#staging = undefined;
    this.#staged.clear();
  }

  // ── Attributes ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #attributes(fields: FieldReader): void {
    const number = fields.i64();
    const ino = this.#inos.get(number);
    if (ino === undefined) throw badStream(`it uses inode ${number} before it says which that is`);
    const [mode, uid, gid] = [fields.u32(), fields.u32(), fields.u32()];
    const [atime, mtime, ctime] = [readTime(fields), readTime(fields), readTime(fields)];
    const kept = load(this.#volume, ino).mode & S_IFMT;
    if ((mode & S_IFMT) !== kept) throw badStream('it changes the type of a file');
    const set = { ino, mode: kept | (mode & PERMISSIONS), uid, gid, atime, mtime, ctime };
    this.#volume.perform({ type: 'setAttributes', ...set }, 0);
    if (ino !== ROOT_INO) this.#inos.delete(number);
  }
}

/** Bytes of a symlink's target (PATH_MAX less its NUL). */
const TARGET_BYTES_MAX = 4095;
/** DT_FIFO, DT_CHR, DT_DIR, DT_BLK, DT_REG, DT_LNK and DT_SOCK, as the type bits of a mode have them. */
const FILE_TYPES: ReadonlySet<number> = new Set([1, 2, 4, 6, 8, 10, 12]);

const isFileType = (mode: number): boolean => FILE_TYPES.has(mode >>> 12);
