/**
 * The payload of READDIR and READDIRPLUS: entries one after the other, each padded to 8 bytes, as many as fit.
 *
 * READDIRPLUS puts a fuse_entry_out before each, which saves the kernel a LOOKUP. `.` and `..` have a nodeid of 0 there, as the
 * protocol wants it, and so has an entry whose attributes cannot be read: it is listed, and its own LOOKUP will fail.
 */
import { EINVAL } from '../errors/errno.js';
import { Attributes } from '../filesystem/attributes.js';
import type { DirectoryVisitor, FileSystemOperations } from '../filesystem/operations.js';
import type { Ino } from '../store/units.js';
import { fuse_dirent, fuse_direntplus } from './abi-structs.js';
import type { FailureLog } from './failure-log.js';
import type { References } from './references.js';
import { PAYLOAD, type Reply } from './reply.js';

const DOT = 0x2e;
const OFF = fuse_dirent.off;
const NAMELEN = fuse_dirent.namelen;
const TYPE = fuse_dirent.type;
const NAME = fuse_dirent.sizeof;
const PLUS_DIRENT = fuse_direntplus.dirent;

const isDotOrDotDot = (name: Uint8Array): boolean =>
  name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));

export class DirectoryPage {
  readonly #filesystem: FileSystemOperations;
  readonly #references: References;
  readonly #failures: FailureLog;
  readonly #attributes = new Attributes();
  #reply!: Reply;
  #at = 0;
  #end = 0;
  #isPlus = false;
  #isFull = false;

  constructor(filesystem: FileSystemOperations, references: References, failures: FailureLog) {
    this.#filesystem = filesystem;
    this.#references = references;
    this.#failures = failures;
  }

  /** Fills `reply` with the entries after `cookie`, at most `size` bytes; returns the length of the payload, 0 at the end. */
  fill(reply: Reply, ino: Ino, cookie: number, size: number, plus: boolean): number {
    this.#reply = reply;
    this.#at = PAYLOAD;
    this.#end = PAYLOAD + size;
    this.#isPlus = plus;
    this.#isFull = false;
    this.#filesystem.readDirectory(ino, cookie, this.#visit);
    if (this.#isFull && this.#at === PAYLOAD) {
      // Nothing would read as the end of the directory.
      throw EINVAL;
    }
    return this.#at - PAYLOAD;
  }

  readonly #visit: DirectoryVisitor = (name, ino, type, cookie) => {
    const reply = this.#reply;
    const dirent = this.#at + (this.#isPlus ? PLUS_DIRENT : 0);
    const nameAt = dirent + NAME;
    const nameEnd = nameAt + name.length;
    const next = (nameEnd + 7) & ~7;
    if (next > this.#end) {
      this.#isFull = true;
      return false;
    }
    if (this.#isPlus) {
      this.#entry(this.#at, name, ino, type);
    }
    reply.u64(dirent, ino);
    reply.u64(dirent + OFF, cookie);
    reply.u32(dirent + NAMELEN, name.length);
    reply.u32(dirent + TYPE, type);
    const bytes = reply.bytes;
    for (let i = 0; i < name.length; i++) {
      bytes[nameAt + i] = name[i]!;
    }
    for (let i = nameEnd; i < next; i++) {
      bytes[i] = 0;
    }
    this.#at = next;
    return true;
  };

  #entry(at: number, name: Uint8Array, ino: Ino, type: number): void {
    const attributes = this.#attributes;
    if (!isDotOrDotDot(name)) {
      try {
        this.#filesystem.getAttributes(ino, attributes);
        this.#reply.entry(at, attributes);
        this.#references.handedOut(ino);
        return;
      } catch (error) {
        this.#failures.report(error);
      }
    }
    this.#reply.unlinkedEntry(at, ino, type << 12);
  }
}
