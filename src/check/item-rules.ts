/**
 * What a single item must be like: the rules that the check reports by, and by which a repair keeps or drops.
 *
 * Each rule returns what is wrong, or undefined. They rely on the formats of volume/items.ts, inode.ts and name-hash.ts.
 */

import { INODE_BYTES } from '../volume/inode.js';
import {
  ADDRESS_BYTES,
  ARENA_PACKS,
  DIRENT_BYTES,
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_EXTENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_REQUESTS,
  KIND_SEGMENT,
  KIND_SYMLINK,
  KIND_XATTR,
  REQUESTS_BYTES,
  readU64,
  SEGMENT_BYTES,
  VOLUME_OBJECT,
  XATTR_BYTES,
} from '../volume/items.js';
import { TURNS } from '../volume/name-hash.js';
import type { Page } from './page-reader.js';
import type { StoreUnderCheck } from './store-under-check.js';

/** Longest name of an entry or an extended attribute, in bytes (NAME_MAX, XATTR_NAME_MAX: limits.h). */
const NAME_BYTES_MAX = 255;
/** XATTR_SIZE_MAX (limits.h). */
const XATTR_VALUE_BYTES_MAX = 65_536;
/** PATH_MAX less its NUL. */
const TARGET_BYTES_MAX = 4095;

const WORD = 0x1_0000_0000;
const DOT = 0x2e;
const SLASH = 0x2f;

interface KindRule {
  readonly name: string;
  readonly bytes: number;
  /** Whether it belongs to the volume instead of an inode. */
  readonly ofVolume: boolean;
  readonly hasMinor: boolean;
}

const KIND_RULES: ReadonlyMap<number, KindRule> = new Map([
  [KIND_INODE, { name: 'inode record', bytes: INODE_BYTES, ofVolume: false, hasMinor: false }],
  [KIND_XATTR, { name: 'extended attribute', bytes: XATTR_BYTES, ofVolume: false, hasMinor: true }],
  [KIND_DIRENT, { name: 'directory entry', bytes: DIRENT_BYTES, ofVolume: false, hasMinor: true }],
  [KIND_SYMLINK, { name: 'symlink target', bytes: ADDRESS_BYTES, ofVolume: false, hasMinor: false }],
  [KIND_EXTENT, { name: 'extent', bytes: ADDRESS_BYTES, ofVolume: false, hasMinor: false }],
  [KIND_ORPHAN, { name: 'orphan', bytes: 0, ofVolume: true, hasMinor: true }],
  [KIND_DEAD_BLOB, { name: 'dead blob', bytes: 0, ofVolume: true, hasMinor: true }],
  [KIND_SEGMENT, { name: 'segment', bytes: SEGMENT_BYTES, ofVolume: true, hasMinor: true }],
  [KIND_REQUESTS, { name: 'applied requests', bytes: REQUESTS_BYTES, ofVolume: true, hasMinor: true }],
]);

/** Whether an item can be there at all: its kind, key and length. All other rules rely on it. */
export function shapeProblem(page: Page, slot: number): string | undefined {
  const [object, kind, minor] = [page.object(slot), page.kind(slot), page.minor(slot)];
  const rule = KIND_RULES.get(kind);
  if (rule === undefined) return `an item of kind ${kind}, which does not exist`;
  if (object > Number.MAX_SAFE_INTEGER || minor > Number.MAX_SAFE_INTEGER)
    return `${rule.name} with a key out of range`;
  if ((object === VOLUME_OBJECT) !== rule.ofVolume) return `${rule.name} of object ${object}`;
  if (!rule.hasMinor && minor !== 0) return `${rule.name} number ${minor}`;
  if (page.valueLength(slot) !== rule.bytes) return `${rule.name} of ${page.valueLength(slot)} bytes`;
  if (kind === KIND_SEGMENT && minor >= (ARENA_PACKS + 1) * WORD) return `segment of arena ${Math.floor(minor / WORD)}`;
  return undefined;
}

/** Whether the name of an entry (its string in `store.strings.payload` afterwards) can be read and is the one of its key. */
export function entryNameProblem(store: StoreUnderCheck, page: Page, slot: number): string | undefined {
  const [object, minor] = [page.object(slot), page.minor(slot)];
  const problem = store.strings.read(readU64(page.words, page.valueWord(slot) + 2), object, KIND_DIRENT, minor);
  if (problem !== undefined) return problem;
  const name = store.strings.payload;
  if (name.length < 1 || name.length > NAME_BYTES_MAX) return `a name of ${name.length} bytes`;
  for (const byte of name) if (byte === 0 || byte === SLASH) return 'a name with a slash or a zero byte in it';
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) return 'a name that is . or ..';
  return hashProblem(store, name, minor);
}

function hashProblem(store: StoreUnderCheck, name: Uint8Array, minor: number): string | undefined {
  if (minor - (minor % TURNS) === store.hash.minor(name)) return undefined;
  return 'a name that is filed under the hash of another: it cannot be found';
}

/** Whether name and value of an extended attribute can be read. Returns the bytes that they take in the string table. */
export function xattrProblem(store: StoreUnderCheck, page: Page, slot: number): string | number {
  const { strings } = store;
  const [object, minor, at] = [page.object(slot), page.minor(slot), page.valueWord(slot)];
  const [nameAddress, valueAddress] = [readU64(page.words, at), readU64(page.words, at + 2)];
  if (nameAddress === valueAddress) return 'name and value are at the same address';
  const nameProblem = strings.read(nameAddress, object, KIND_XATTR, minor);
  if (nameProblem !== undefined) return nameProblem;
  const name = strings.payload;
  if (name.length < 1 || name.length > NAME_BYTES_MAX) return `a name of ${name.length} bytes`;
  if (name.includes(0)) return 'a name with a zero byte in it';
  const wrongHash = hashProblem(store, name, minor);
  if (wrongHash !== undefined) return wrongHash;
  const nameSize = strings.size;
  const valueProblem = strings.read(valueAddress, object, KIND_XATTR, minor);
  if (valueProblem !== undefined) return valueProblem;
  if (strings.payload.length > XATTR_VALUE_BYTES_MAX) return `a value of ${strings.payload.length} bytes`;
  return nameSize + strings.size;
}

/** Whether the target of a symlink (in `store.strings.payload` afterwards) can be read. */
export function symlinkProblem(store: StoreUnderCheck, page: Page, slot: number): string | undefined {
  const { strings } = store;
  const problem = strings.read(readU64(page.words, page.valueWord(slot)), page.object(slot), KIND_SYMLINK, 0);
  if (problem !== undefined) return problem;
  const length = strings.payload.length;
  if (length < 1 || length > TARGET_BYTES_MAX) return `a target of ${length} bytes`;
  return strings.payload.includes(0) ? 'a target with a zero byte in it' : undefined;
}

/** Whether the data of a small file (in `store.packs.payload` afterwards) can be read. */
export function extentProblem(store: StoreUnderCheck, page: Page, slot: number): string | undefined {
  return store.packs.read(readU64(page.words, page.valueWord(slot)), page.object(slot), KIND_EXTENT, 0);
}
