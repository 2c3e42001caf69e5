/**
 * What the names of a path lead to in the tree of a volume.
 */
import { asIno, type Ino, ROOT_INO } from '../store/units.js';
import { readU64 } from './items.js';
import type { VolumeState } from './state.js';

/** What a name in a directory leads to. */
export interface Place {
  readonly ino: Ino;
  /** The minor key of the entry. */
  readonly minor: number;
  /** DT_* (dirent.h). */
  readonly type: number;
}

/** DT_DIR (dirent.h). */
export const TYPE_DIRECTORY = 4;

export const splitPath = (path: string): readonly Uint8Array[] =>
  path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => Buffer.from(name, 'utf8'));

/** What a name in a directory leads to. */
export function entryOf(state: VolumeState, parent: Ino, name: Uint8Array): Place | undefined {
  const { tree, entries } = state;
  const minor = entries.find(parent, name);
  if (minor < 0) return undefined;
  return { ino: asIno(readU64(tree.words, tree.valueWord)), minor, type: tree.words[tree.valueWord + 4] };
}

/** What a path leads to, not following symlinks; undefined also for the root, which is in no directory. */
export function placeAt(state: VolumeState, path: string): Place | undefined {
  let place: Place | undefined;
  for (const name of splitPath(path)) {
    place = entryOf(state, place?.ino ?? ROOT_INO, name);
    if (place === undefined) return undefined;
  }
  return place;
}

/** The inode that a path leads to, likewise; the root directory for an empty one. */
export const resolvePath = (state: VolumeState, path: string): Ino | undefined =>
  splitPath(path).length === 0 ? ROOT_INO : placeAt(state, path)?.ino;

/** What keeps directories from being made on the way to a path: the shortest part of it that is something else. */
export function obstacleTo(state: VolumeState, path: string): string | undefined {
  const names = path.split('/');
  for (let depth = 1; depth < names.length; depth++) {
    const above = names.slice(0, depth).join('/');
    const place = placeAt(state, above);
    if (place === undefined) return undefined;
    if (place.type !== TYPE_DIRECTORY) return above;
  }
  return undefined;
}

/** Whether a path is another, or below it. Both without slashes at their ends. */
export const isWithin = (path: string, above: string): boolean => path === above || path.startsWith(`${above}/`);

/** Those of some paths that are not below others, each once. All without slashes at their ends. */
export function outermost(paths: readonly string[]): readonly string[] {
  const all = new Set(paths);
  return [...all].filter((path) => {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      if (all.has(path.slice(0, end))) return false;
    }
    return true;
  });
}
