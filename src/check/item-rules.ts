/**
 * What a single item must be like: the rules that the check reports by, and by which a repair keeps or drops.
 *
 * Each rule returns what is wrong, or undefined. They rely on the formats of volume/items.ts, inode.ts and name-hash.ts.
 */

import { INODE_BYTES } from '../volume/inode.js';
import {
  ADDRESS_BYTES,
  ARENA_PACKS,
  DATASET_BYTES,
  DIRENT_BYTES,
  DYING_BYTES,
  KIND_DATASET,
  KIND_DEAD_BLOB,
  KIND_DIRENT,
  KIND_DYING,
  KIND_EXTENT,
  KIND_INODE,
  KIND_ORPHAN,
  KIND_PART,
  KIND_QUOTA,
  KIND_REQUESTS,
  KIND_SEGMENT,
  KIND_SHARED_BLOB,
  KIND_SHARED_EXTENT,
  KIND_SHARED_STRING,
  KIND_SYMLINK,
  KIND_XATTR,
  PART_BYTES,
  REQUESTS_BYTES,
  readU64,
  SEGMENT_BYTES,
  SHARED_BYTES,
  VOLUME_OBJECT,
  XATTR_BYTES,
} from '../volume/items.js';
import { TURNS } from '../volume/name-hash.js';
import { QUOTA_BYTES, QUOTA_GROUPS_MAX } from '../volume/quota-record.js';
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

/** What a tree is for: the files of a volume or snapshot, the catalog, or both, as in stores of format 1. */
export type TreeRole = 'files' | 'catalog' | 'both';

interface KindRule {
  readonly name: string;
  readonly bytes: number;
  /** Whether it belongs to the tree instead of an inode. */
  readonly ofTree: boolean;
  readonly hasMinor: boolean;
  readonly roles: readonly TreeRole[];
}

const FILES: readonly TreeRole[] = ['files', 'both'];
const CATALOG: readonly TreeRole[] = ['catalog'];
const CATALOG_OR_BOTH: readonly TreeRole[] = ['catalog', 'both'];

const ofInode = (name: string, bytes: number, hasMinor: boolean): KindRule => ({
  name,
  bytes,
  ofTree: false,
  hasMinor,
  roles: FILES,
});

const ofTree = (name: string, bytes: number, roles: readonly TreeRole[]): KindRule => ({
  name,
  bytes,
  ofTree: true,
  hasMinor: true,
  roles,
});

const KIND_RULES: ReadonlyMap<number, KindRule> = new Map([
  [KIND_INODE, ofInode('inode record', INODE_BYTES, false)],
  [KIND_XATTR, ofInode('extended attribute', XATTR_BYTES, true)],
  [KIND_DIRENT, ofInode('directory entry', DIRENT_BYTES, true)],
  [KIND_SYMLINK, ofInode('symlink target', ADDRESS_BYTES, false)],
  [KIND_EXTENT, ofInode('extent', ADDRESS_BYTES, false)],
  [KIND_PART, ofInode('part', PART_BYTES, true)],
  [KIND_ORPHAN, ofTree('orphan', 0, FILES)],
  [KIND_QUOTA, ofTree('quota', QUOTA_BYTES, FILES)],
  [KIND_DEAD_BLOB, ofTree('dead blob', 0, CATALOG_OR_BOTH)],
  [KIND_SEGMENT, ofTree('segment', SEGMENT_BYTES, CATALOG_OR_BOTH)],
  [KIND_REQUESTS, ofTree('applied requests', REQUESTS_BYTES, CATALOG_OR_BOTH)],
  [KIND_DATASET, ofTree('dataset', DATASET_BYTES, CATALOG)],
  [KIND_SHARED_STRING, ofTree('shared string', SHARED_BYTES, CATALOG)],
  [KIND_SHARED_EXTENT, ofTree('shared extent', SHARED_BYTES, CATALOG)],
  [KIND_SHARED_BLOB, ofTree('shared blob', SHARED_BYTES, CATALOG)],
  [KIND_DYING, ofTree('dying page', DYING_BYTES, CATALOG)],
]);

/** Whether an item can be there at all: its kind, key and length. All other rules rely on it. */
export function shapeProblem(page: Page, slot: number, role: TreeRole): string | undefined {
  const [object, kind, minor] = [page.object(slot), page.kind(slot), page.minor(slot)];
  const rule = KIND_RULES.get(kind);
  if (rule === undefined) return `an item of kind ${kind}, which does not exist`;
  if (object > Number.MAX_SAFE_INTEGER || minor > Number.MAX_SAFE_INTEGER)
    return `${rule.name} with a key out of range`;
  if ((object === VOLUME_OBJECT) !== rule.ofTree) return `${rule.name} of object ${object}`;
  if (!rule.roles.includes(role))
    return `${rule.name} in the tree of ${role === 'catalog' ? 'the catalog' : 'a volume'}`;
  if (!rule.hasMinor && minor !== 0) return `${rule.name} number ${minor}`;
  if (page.valueLength(slot) !== rule.bytes) return `${rule.name} of ${page.valueLength(slot)} bytes`;
  if (kind === KIND_QUOTA && (minor === 0 || minor >= QUOTA_GROUPS_MAX)) return `quota of group ${minor}`;
  if (kind === KIND_SEGMENT && minor >= (ARENA_PACKS + 1) * WORD) return `segment of arena ${Math.floor(minor / WORD)}`;
  return undefined;
}

/** Whose records an inode's items point to: its own, or, after it was transplanted, those made for another inode. */
export type RecordOwnerRule = 'own' | 'transplanted';

const ownerOf = (page: Page, slot: number, rule: RecordOwnerRule): number | undefined =>
  rule === 'own' ? page.object(slot) : undefined;

/** Whether the name of an entry (its string in `store.strings.payload` afterwards) can be read and is the one of its key. */
export function entryNameProblem(
  store: StoreUnderCheck,
  page: Page,
  slot: number,
  owner: RecordOwnerRule,
): string | undefined {
  const minor = page.minor(slot);
  const address = readU64(page.words, page.valueWord(slot) + 2);
  const problem = store.strings.read(address, ownerOf(page, slot, owner), KIND_DIRENT, minor);
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
export function xattrProblem(
  store: StoreUnderCheck,
  page: Page,
  slot: number,
  owner: RecordOwnerRule,
): string | number {
  const { strings } = store;
  const [object, minor, at] = [ownerOf(page, slot, owner), page.minor(slot), page.valueWord(slot)];
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
export function symlinkProblem(
  store: StoreUnderCheck,
  page: Page,
  slot: number,
  owner: RecordOwnerRule,
): string | undefined {
  const { strings } = store;
  const problem = strings.read(readU64(page.words, page.valueWord(slot)), ownerOf(page, slot, owner), KIND_SYMLINK, 0);
  if (problem !== undefined) return problem;
  const length = strings.payload.length;
  if (length < 1 || length > TARGET_BYTES_MAX) return `a target of ${length} bytes`;
  return strings.payload.includes(0) ? 'a target with a zero byte in it' : undefined;
}

/** Whether the data of a small file (in `store.packs.payload` afterwards) can be read. */
export function extentProblem(
  store: StoreUnderCheck,
  page: Page,
  slot: number,
  owner: RecordOwnerRule,
): string | undefined {
  return store.packs.read(readU64(page.words, page.valueWord(slot)), ownerOf(page, slot, owner), KIND_EXTENT, 0);
}
