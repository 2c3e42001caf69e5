/**
 * What a directory is before it is used as a store: a store, an empty place for one, or something else that must not be
 * touched. Also the removal of a store's own files, and of nothing else, for `mkfs --force`.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { CONTROL_SOCKET } from './control-protocol.js';
import { LOG_FILE } from './log-file.js';

export type DirectoryState = 'store' | 'empty' | 'missing' | 'other';

/** The file that makes a directory a store. */
const SUPERBLOCK = 'superblock';
/** Names that are a store's own, whatever the format version. */
const OWN_NAME = /^(superblock|nodes(\.\d+)?\.dat|strings(\.\d+)?\.dat|refs\.[ab]|blobs|packs|wal|lock)$/;
/** Names that say nothing about whether there is a store: what mounting leaves, and what mkfs(8) puts into a new host volume. */
const NEUTRAL_NAMES: readonly string[] = ['lock', LOG_FILE, `${LOG_FILE}.1`, CONTROL_SOCKET, 'lost+found'];

function names(directory: string): string[] | undefined {
  try {
    return readdirSync(directory);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    switch (code) {
      case 'ENOENT':
        return undefined;
      case 'ENOTDIR':
        throw new StoreError(
          'not-a-store',
          `${directory} is not a directory.`,
          'A store is a directory: name another path.',
        );
      case 'EACCES':
      case 'EPERM':
        throw new StoreError(
          'no-permission',
          `The store ${directory} cannot be read: permission denied.`,
          'Try again as its owner or as root, or use another store with --store DIR.',
        );
      default:
        throw new StoreError('io-error', `The store ${directory} cannot be read: ${code}.`);
    }
  }
}

export function directoryState(directory: string): DirectoryState {
  const found = names(directory);
  if (found === undefined) {
    return 'missing';
  }
  if (found.includes(SUPERBLOCK)) {
    return 'store';
  }
  return found.every((name) => NEUTRAL_NAMES.includes(name)) ? 'empty' : 'other';
}

/**
 * Makes the directory of a store that is about to be made, for its owner only, with those above it that are missing. All of their names
 * are durable when it returns: what is synced in a store is worth nothing in a directory that a loss of power takes away.
 */
export function makeStoreDirectory(directory: string): void {
  try {
    const first = mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    for (let made = directory; made.length >= first.length; made = path.dirname(made)) {
      syncDirectory(path.dirname(made));
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new StoreError(
      code === 'ENOSPC' ? 'no-space' : 'no-permission',
      `The store ${directory} cannot be made: ${code}.`,
      'Make the directory yourself, or name another with --store DIR.',
    );
  }
}

/**
 * Removes a store. The superblock goes first and durably, so that an interruption leaves no store rather than a damaged one.
 * The caller holds the store's lock, whose file stays.
 */
export function eraseStore(directory: string): void {
  rmSync(path.join(directory, SUPERBLOCK), { force: true });
  syncDirectory(directory);
  for (const name of readdirSync(directory)) {
    if ((OWN_NAME.test(name) && name !== 'lock') || name === LOG_FILE || name === `${LOG_FILE}.1`) {
      rmSync(path.join(directory, name), { recursive: true, force: true });
    }
  }
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The refusal of a directory that holds other things than a store, or a store without its superblock. */
export function notAStore(directory: string): StoreError {
  if ((names(directory) ?? []).every((name) => OWN_NAME.test(name) || NEUTRAL_NAMES.includes(name))) {
    return new StoreError(
      'damaged',
      `${directory} holds a store whose superblock is missing: it was never finished, or somebody removed it.`,
      `If nothing in it matters: razorfs mkfs --force ${directory}`,
    );
  }
  return new StoreError(
    'not-a-store',
    `${directory} holds files that are not a RazorFS store.`,
    'Name an empty or new directory for the store.',
  );
}

/** Throws StoreError where there is no store. */
export function requireStore(store: string): void {
  switch (directoryState(store)) {
    case 'store':
      return;
    case 'other':
      throw notAStore(store);
    case 'empty':
    case 'missing':
      throw new StoreError(
        'not-a-store',
        `${store} is neither a RazorFS mount nor a store.`,
        'razorfs status   lists what is mounted.',
      );
  }
}
