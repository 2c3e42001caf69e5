/**
 * What a reset would take away, put back or revert, for a person to look at: what is new is summed up at the directory that is new.
 */
import type { FileChange } from '../../volume/file-change.js';
import { isDirectory } from '../../volume/mode.js';
import { isWithin } from '../../volume/paths.js';
import { Slice } from '../../volume/slice.js';

export interface VanishingPath {
  readonly path: string;
  /** `added` vanishes, `removed` comes back, `modified` is as it was. */
  readonly change: 'added' | 'removed' | 'modified';
  readonly isDirectory: boolean;
  /** Other than directories, in it: 1 for a file itself. */
  readonly files: number;
  readonly bytes: number;
}

interface Entry {
  readonly change: VanishingPath['change'];
  readonly isDirectory: boolean;
  files: number;
  bytes: number;
}

export class Vanishing {
  readonly #kept: readonly string[];
  readonly #entries = new Map<string, Entry>();

  /** `kept`: the paths at which everything stays. */
  constructor(kept: readonly string[]) {
    this.#kept = kept;
  }

  #isKept(path: string): boolean {
    return this.#kept.some((kept) => isWithin(path, kept));
  }

  #leadsToKept(path: string): boolean {
    return this.#kept.some((kept) => isWithin(kept, path));
  }

  note({ type, path: bytes, pathBefore, before, after }: FileChange): void {
    const path = Buffer.from(bytes).toString('utf8');
    if (path === '' || this.#isKept(path)) return;
    const file = after ?? before;
    if (file === undefined) return;
    const change = type === 'added' || type === 'linked' ? 'added' : type === 'removed' ? 'removed' : 'modified';
    if (pathBefore !== undefined && type === 'renamed') {
      this.#add(Buffer.from(pathBefore).toString('utf8'), 'removed', before?.mode ?? 0, before?.size ?? 0);
      this.#add(path, 'added', file.mode, file.size);
      return;
    }
    this.#add(path, change, file.mode, file.size);
  }

  #add(path: string, change: Entry['change'], mode: number, bytes: number): void {
    if (this.#isKept(path) || (isDirectory(mode) && this.#leadsToKept(path))) return;
    this.#entries.set(path, { change, isDirectory: isDirectory(mode), files: isDirectory(mode) ? 0 : 1, bytes });
  }

  /** The largest first. Directories on the way to what persists stay, and are not told of. */
  async summary(): Promise<{ readonly paths: readonly VanishingPath[]; readonly bytes: number }> {
    const top = new Map<string, Entry>();
    const slice = new Slice();
    for (const [path, entry] of this.#entries) {
      if (slice.isOver) await slice.next();
      const above = this.#topmost(path, entry.change);
      const known = top.get(above);
      if (known === undefined) top.set(above, { ...entry });
      else {
        known.files += entry.files;
        known.bytes += entry.bytes;
      }
    }
    const paths = [...top].map(([path, entry]) => ({ path: `/${path}`, ...entry }));
    paths.sort((a, b) => b.bytes - a.bytes || b.files - a.files || (a.path < b.path ? -1 : 1));
    const bytes = paths.reduce((sum, one) => sum + (one.change === 'added' ? one.bytes : 0), 0);
    return { paths, bytes };
  }

  /** The highest directory above a path that came or went as a whole. */
  #topmost(path: string, change: Entry['change']): string {
    const names = path.split('/');
    for (let depth = 1; depth < names.length; depth++) {
      const above = names.slice(0, depth).join('/');
      const entry = this.#entries.get(above);
      if (entry?.isDirectory === true && entry.change === change && change !== 'modified') return above;
    }
    return path;
  }
}
