/**
 * Stores for the tests of razorfsck: made by the real code, with every kind of item in them, small segments, and a tree of
 * several levels. Also what a test needs around them: checking, repairing, and reading everything back through a mount's code.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type CheckResult, checkStore } from '../../src/check/check.js';
import type { Finding } from '../../src/check/findings.js';
import { planRepair, repairStore } from '../../src/check/repair.js';
import { Attributes } from '../../src/filesystem/attributes.js';
import { FileSystem } from '../../src/filesystem/filesystem.js';
import type { Caller } from '../../src/filesystem/operations.js';
import { HostDisk } from '../../src/store/host-disk.js';
import { asIno, type Ino, ROOT_INO } from '../../src/store/units.js';
import { Datasets } from '../../src/volume/datasets.js';
import { timestampOf } from '../../src/volume/inode.js';
import { isDirectory, isRegular, isSymlink, S_IFIFO, S_IFREG } from '../../src/volume/mode.js';
import { Store } from '../../src/volume/store.js';

export const BOOT_ID = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().replaceAll('-', '');
export const CALLER: Caller = { uid: 1000, gid: 1000, pid: 1, umask: 0, request: 0 };
export const SEGMENT_BYTES = 256 * 1024;
const LARGE_FILE_BYTES = 70_000;
const FILES = 600;

const quiet = { info: () => {}, warn: () => {}, error: () => {} };

export const openStore = (directory: string, readOnly = false): Promise<Store> =>
  Store.open(new HostDisk(directory), {
    durability: 'interval',
    commitIntervalMs: 60_000,
    readOnly,
    bootId: BOOT_ID,
    log: quiet,
    now: () => timestampOf(1_700_000_000_123),
  });

export const fileSystemOf = (store: Store): FileSystem => new FileSystem(store.main, { atime: 'noatime' });

/** Makes files of every kind. */
export function populate(fileSystem: FileSystem, files = FILES): void {
  const out = new Attributes();
  const text = (value: string): Buffer => Buffer.from(value);
  fileSystem.makeDirectory(ROOT_INO, text('a'), 0o755, CALLER, out);
  let directory = out.ino;
  for (let i = 0; i < files; i++) {
    if (i % 50 === 0) {
      fileSystem.makeDirectory(i % 100 === 0 ? ROOT_INO : directory, text(`directory ${i}`), 0o750, CALLER, out);
      directory = out.ino;
    }
    fileSystem.makeNode(directory, text(`file ${i}`), S_IFREG | 0o644, 0, CALLER, out);
    const { ino } = out;
    if (i % 2 === 0) write(fileSystem, ino, 0, Buffer.alloc(100 + i, `small ${i} `));
    if (i % 60 === 1) write(fileSystem, ino, 0, Buffer.alloc(LARGE_FILE_BYTES, `large ${i} `));
    if (i % 10 === 0) fileSystem.setExtendedAttribute(ino, text('user.color'), text(`value ${i}`), 0, false, CALLER);
    if (i % 25 === 0) fileSystem.makeSymlink(directory, text(`link ${i}`), text(`target/${i}`), CALLER, out);
    if (i % 40 === 0) fileSystem.link(ino, directory, text(`also ${i}`), CALLER, out);
    if (i % 70 === 0) fileSystem.makeNode(directory, text(`fifo ${i}`), S_IFIFO | 0o600, 0, CALLER, out);
    if (i % 9 === 8) fileSystem.unlink(directory, text(`file ${i}`), CALLER);
  }
}

export const write = (fileSystem: FileSystem, ino: Ino, position: number, data: Uint8Array): void =>
  fileSystem.write(ino, position, data.length, data, 0, false, CALLER);

export const temporaryDirectory = (test: Test): string => {
  const directory = mkdtempSync(join(tmpdir(), 'razorfsck-test-'));
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
};

/** A store that was unmounted properly, for tests to copy. */
export async function makeStore(test: Test, files = FILES): Promise<string> {
  const directory = await makeEmptyStore(test);
  const store = await openStore(directory);
  populate(fileSystemOf(store), files);
  await store.close();
  return directory;
}

export async function makeEmptyStore(test: Test): Promise<string> {
  const directory = temporaryDirectory(test);
  const geometry = {
    nodesSegmentBytes: SEGMENT_BYTES,
    arenaSegmentBytes: SEGMENT_BYTES,
    logSegmentBytes: SEGMENT_BYTES,
  };
  const owner = { uid: 0, gid: 0 };
  await Store.create(new HostDisk(directory), { label: 'fixture', now: 1_700_000_000_000, owner, geometry });
  return directory;
}

export function copyStore(test: Test, store: string): string {
  const directory = temporaryDirectory(test);
  cpSync(store, directory, { recursive: true });
  return directory;
}

export interface Checked {
  readonly result: CheckResult;
  readonly findings: readonly Finding[];
  readonly errors: readonly Finding[];
}

export async function check(directory: string): Promise<Checked> {
  const findings: Finding[] = [];
  const result = await checkStore(new HostDisk(directory, { readOnly: true }), {
    bootId: BOOT_ID,
    onFinding: (finding) => findings.push(finding),
    onProgress: () => {},
  });
  return { result, findings, errors: findings.filter((finding) => finding.severity === 'error') };
}

export async function repair(directory: string, discardLog = false): Promise<void> {
  const { result } = await check(directory);
  await repairStore(new HostDisk(directory), result, planRepair(result, discardLog), 1_700_000_001_000);
}

// ── Reading everything back ────────────────────────────────────────────────────────────────────────────────────────────

/** Each path with all that can be seen of it, as one line. */
export type Contents = ReadonlyMap<string, string>;

/** Reads a whole file system through its operations; a directory that damage has given several names, under one of them only. */
export async function contentsOf(fileSystem: FileSystem): Promise<Contents> {
  const contents = new Map<string, string>();
  const entered = new Set<Ino>();
  const pending: { readonly ino: Ino; readonly path: string }[] = [{ ino: ROOT_INO, path: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { ino, path } = next;
    const attributes = new Attributes();
    fileSystem.getAttributes(ino, attributes);
    contents.set(path === '' ? '/' : path, await describe(fileSystem, attributes));
    // Otherwise one that contains itself would never come to an end.
    if (!isDirectory(attributes.mode) || entered.has(ino)) continue;
    entered.add(ino);
    fileSystem.readDirectory(ino, 0, (name, child) => {
      const text = Buffer.from(name).toString('latin1');
      if (text !== '.' && text !== '..') pending.push({ ino: asIno(child), path: `${path}/${text}` });
      return pending.length < 1_000_000;
    });
  }
  return contents;
}

async function describe(fileSystem: FileSystem, attributes: Attributes): Promise<string> {
  const { ino, mode, nlink, uid, gid, size, mtimeSeconds, mtimeNanoseconds } = attributes;
  const parts = [ino, mode.toString(8), nlink, uid, gid, mtimeSeconds, mtimeNanoseconds].map(String);
  if (isRegular(mode)) parts.push(String(size), await digest(fileSystem, ino, size));
  if (isSymlink(mode)) parts.push(Buffer.from(fileSystem.readSymlink(ino)).toString('latin1'));
  for (const name of fileSystem.listExtendedAttributes(ino)) {
    const value = fileSystem.getExtendedAttribute(ino, name);
    parts.push(`${Buffer.from(name).toString('latin1')}=${Buffer.from(value).toString('latin1')}`);
  }
  return parts.join(' ');
}

const READ_BYTES = 1024 * 1024;
/** Damaged sizes may be enormous: only this much of a file is read. */
const READ_BYTES_MAX = 4 * READ_BYTES;

async function digest(fileSystem: FileSystem, ino: Ino, size: number): Promise<string> {
  const hash = createHash('sha1');
  const buffer = new Uint8Array(READ_BYTES);
  for (let at = 0; at < Math.min(size, READ_BYTES_MAX); at += READ_BYTES) {
    const length = await fileSystem.read(ino, at, READ_BYTES, buffer, 0);
    hash.update(buffer.subarray(0, length));
  }
  return hash.digest('hex');
}

/** Of the volume `main`, and of all others and of snapshots with their name before the path. */
export async function contentsOfAll(store: Store): Promise<Contents> {
  const contents = new Map<string, string>();
  const datasets = new Datasets(store);
  for (const dataset of store.state.catalog.all) {
    const name = datasets.nameOf(dataset);
    const volume = dataset.type === 'volume' ? store.volume(name)! : store.snapshot(dataset);
    const found = await contentsOf(new FileSystem(volume, { atime: 'noatime' }));
    for (const [path, description] of found) contents.set(name === 'main' ? path : `${name}:${path}`, description);
  }
  return contents;
}

export async function contentsOfStore(directory: string): Promise<Contents> {
  const store = await openStore(directory);
  try {
    return await contentsOfAll(store);
  } finally {
    await store.close();
  }
}
