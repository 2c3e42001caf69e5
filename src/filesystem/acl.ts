/**
 * POSIX access control lists (acl(5)), as the kernel passes them in extended attributes (linux/posix_acl_xattr.h):
 *
 *   byte  size  field
 *      0     4  version, 2
 *      4        entries of 8 bytes: tag (2), permissions (2), id (4), in the order of the tags below, then of ids
 *
 * The kernel checks permissions against them. What is left to the filesystem is to keep mode and access list in step, and to make
 * the lists of new inodes from the default list of their directory.
 */
import { EINVAL } from '../errors/errno.js';

export const ACCESS_ACL_XATTR = Buffer.from('system.posix_acl_access');
export const DEFAULT_ACL_XATTR = Buffer.from('system.posix_acl_default');

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;

const USER_OBJ = 0x01;
const USER = 0x02;
const GROUP_OBJ = 0x04;
const GROUP = 0x08;
const MASK = 0x10;
const OTHER = 0x20;
const TAGS: ReadonlySet<number> = new Set([USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER]);

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

export class Acl {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** Reads a list. Throws EINVAL when it is not one that acl_valid(3) would accept. */
  static parse(bytes: Uint8Array): Acl {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (buffer.length < HEADER_BYTES || (buffer.length - HEADER_BYTES) % ENTRY_BYTES !== 0) throw EINVAL;
    if (buffer.readUInt32LE(0) !== VERSION) throw EINVAL;
    const entries: Entry[] = [];
    for (let at = HEADER_BYTES; at < buffer.length; at += ENTRY_BYTES) {
      const permissions = buffer.readUInt16LE(at + 2);
      if (permissions > 7) throw EINVAL;
      entries.push({ tag: buffer.readUInt16LE(at), permissions, id: buffer.readUInt32LE(at + 4) });
    }
    const acl = new Acl(entries);
    acl.#validate();
    return acl;
  }

  #validate(): void {
    const count = (tag: number): number => this.#entries.filter((entry) => entry.tag === tag).length;
    const isComplete = [USER_OBJ, GROUP_OBJ, OTHER].every((tag) => count(tag) === 1);
    const isNamed = count(USER) + count(GROUP) > 0;
    const isOrdered = this.#entries.every((entry, index) => index === 0 || this.#entries[index - 1]!.tag <= entry.tag);
    const isKnown = this.#entries.every((entry) => TAGS.has(entry.tag));
    if (!isComplete || !isOrdered || !isKnown || count(MASK) > 1 || (isNamed && count(MASK) === 0)) throw EINVAL;
  }

  encode(): Uint8Array {
    const buffer = Buffer.alloc(HEADER_BYTES + this.#entries.length * ENTRY_BYTES);
    buffer.writeUInt32LE(VERSION, 0);
    this.#entries.forEach(({ tag, permissions, id }, index) => {
      const at = HEADER_BYTES + index * ENTRY_BYTES;
      buffer.writeUInt16LE(tag, at);
      buffer.writeUInt16LE(permissions, at + 2);
      buffer.writeUInt32LE(id, at + 4);
    });
    return buffer;
  }

  /** Whether the list says no more than permission bits do. */
  get isMinimal(): boolean {
    return this.#entries.length === 3;
  }

  #permissions(tag: number): number | undefined {
    return this.#entries.find((entry) => entry.tag === tag)?.permissions;
  }

  /** The nine permission bits that go with the list: the group's are those of the mask, if there is one. */
  get mode(): number {
    const group = this.#permissions(MASK) ?? this.#permissions(GROUP_OBJ) ?? 0;
    return ((this.#permissions(USER_OBJ) ?? 0) << 6) | (group << 3) | (this.#permissions(OTHER) ?? 0);
  }

  #with(change: (entry: Entry) => number): Acl {
    return new Acl(this.#entries.map((entry) => ({ ...entry, permissions: change(entry) })));
  }

  /** The permissions in a mode, by the entry that they belong to: the group's belong to the mask, if there is one. */
  #bitsOf(mode: number): ReadonlyMap<number, number> {
    const group = this.#permissions(MASK) === undefined ? GROUP_OBJ : MASK;
    return new Map([
      [USER_OBJ, (mode >>> 6) & 7],
      [group, (mode >>> 3) & 7],
      [OTHER, mode & 7],
    ]);
  }

  /** The list after chmod(2). */
  afterChmod(mode: number): Acl {
    const bits = this.#bitsOf(mode);
    return this.#with(({ tag, permissions }) => bits.get(tag) ?? permissions);
  }

  /** The access list of an inode made with `mode` in a directory whose default list this is: permissions both give. */
  forNewInode(mode: number): Acl {
    const bits = this.#bitsOf(mode);
    return this.#with(({ tag, permissions }) => permissions & (bits.get(tag) ?? 7));
  }
}
