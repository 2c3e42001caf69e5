/**
 * What persists when a volume is reset: the rules of a volume, and their form in its properties and in files.
 *
 * There are two classes. `data` is what must never be lost. `cache` persists too, but may be given up by a reset that is asked to.
 * Rules name paths, not inodes: whatever is at a path when the volume is reset is carried over, a file that was replaced as well.
 *
 * As JSON, in a property and in a file for `razorfs persist`:
 *
 *   {"data": ["/etc/machine-id", {"path": "/home/ana/Documents", "directory": true, "owner": "1000:1000", "mode": "0700"}],
 *    "cache": ["/var/cache"]}
 *
 * A rule with `directory` also says that a directory must exist there after a reset, with this owner and mode.
 */
import { StoreError } from '../errors/store-error.js';
import type { PropertyValues } from './dataset.js';
import { outermost } from './paths.js';

export type PersistenceClass = 'data' | 'cache';
export const PERSISTENCE_CLASSES: readonly PersistenceClass[] = ['data', 'cache'];

export interface PersistenceRule {
  /** From the volume's root, without slashes at its ends: `etc/ssh`. */
  readonly path: string;
  readonly class: PersistenceClass;
  /** A directory that must exist after a reset. */
  readonly directory?: {
    readonly uid: number;
    readonly gid: number;
    /** Permission bits. */
    readonly mode: number;
  };
}

/** The property in which a volume keeps its rules. */
export const PERSISTENCE_PROPERTY = 'persistence';
const DIRECTORY_MODE = 0o755;

/** The rules of a volume. Throws StoreError for what another program may have written there. */
export const rulesOf = (properties: PropertyValues): readonly PersistenceRule[] =>
  properties[PERSISTENCE_PROPERTY] === undefined ? [] : parseRules(properties[PERSISTENCE_PROPERTY]);

/** A path as rules have it: without slashes at its ends, and without `.` and `..`. Throws StoreError. */
export function normalPath(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0) throw bad('the root itself cannot persist: a reset is of all that does not');
  if (names.includes('..')) throw bad(`"${path}" goes up with ".."`);
  if (path.includes('\0')) throw bad('a path with a zero byte in it');
  // Half a character has no form of its own on the disk: two such paths would be one.
  if (/\p{Surrogate}/u.test(path)) throw bad('a path with half a character in it');
  return names.join('/');
}

const bad = (what: string): StoreError =>
  new StoreError('bad-property', `These are no rules of persistence: ${what}.`, 'See: razorfs persist --help');

/** Reads rules from JSON. Throws StoreError. */
export function parseRules(value: unknown): readonly PersistenceRule[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad('not an object of "data" and "cache"');
  const rules: PersistenceRule[] = [];
  for (const [name, entries] of Object.entries(value)) {
    const ruleClass = PERSISTENCE_CLASSES.find((known) => known === name);
    if (ruleClass === undefined) throw bad(`"${name}" is neither "data" nor "cache"`);
    if (!Array.isArray(entries)) throw bad(`"${name}" is not a list`);
    for (const entry of entries as unknown[]) rules.push(parseRule(entry, ruleClass));
  }
  return sorted(rules);
}

function parseRule(entry: unknown, ruleClass: PersistenceClass): PersistenceRule {
  if (typeof entry === 'string') return { path: normalPath(entry), class: ruleClass };
  if (typeof entry !== 'object' || entry === null) throw bad(`${JSON.stringify(entry)} is not a path`);
  const { path, directory, owner, mode, ...others } = entry as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw bad(`"${unknown}" is not known`);
  if (typeof path !== 'string') throw bad(`${JSON.stringify(entry)} has no "path"`);
  const rule = { path: normalPath(path), class: ruleClass };
  if (directory !== true && owner === undefined && mode === undefined) return rule;
  return { ...rule, directory: { ...parseOwner(owner ?? '0:0'), mode: parseMode(mode ?? DIRECTORY_MODE.toString(8)) } };
}

/** Reads `1000:1000`. Throws StoreError. */
export function parseOwner(owner: unknown): { readonly uid: number; readonly gid: number } {
  const match = typeof owner === 'string' ? /^(\d{1,10}):(\d{1,10})$/.exec(owner) : null;
  if (match === null) throw bad(`${JSON.stringify(owner)} is no owner such as "1000:1000"`);
  return { uid: Number(match[1]), gid: Number(match[2]) };
}

/** Reads `0755`. Throws StoreError. */
export function parseMode(mode: unknown): number {
  if (typeof mode !== 'string' || !/^[0-7]{3,5}$/.test(mode))
    throw bad(`${JSON.stringify(mode)} is no mode such as "0755"`);
  return Number.parseInt(mode, 8) & 0o7777;
}

/** Rules as JSON, for a property or a file. */
export function rulesAsJson(rules: readonly PersistenceRule[]): Record<PersistenceClass, unknown[]> {
  const of = (ruleClass: PersistenceClass): unknown[] =>
    rules
      .filter((rule) => rule.class === ruleClass)
      .map(({ path, directory }) => {
        if (directory === undefined) return `/${path}`;
        const { uid, gid, mode } = directory;
        return { path: `/${path}`, directory: true, owner: `${uid}:${gid}`, mode: mode.toString(8).padStart(4, '0') };
      });
  return { data: of('data'), cache: of('cache') };
}

/** Adds rules, in the place of those for the same paths. */
export function withRules(
  rules: readonly PersistenceRule[],
  added: readonly PersistenceRule[],
): readonly PersistenceRule[] {
  const paths = new Set(added.map(({ path }) => path));
  return sorted([...rules.filter(({ path }) => !paths.has(path)), ...added]);
}

const sorted = (rules: readonly PersistenceRule[]): readonly PersistenceRule[] =>
  [...rules].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));

/** The paths to be carried over: those that are below others go with them. */
export const carriedPaths = (rules: readonly PersistenceRule[]): readonly string[] =>
  outermost(rules.map(({ path }) => path));
