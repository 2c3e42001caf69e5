/**
 * The properties of volumes that users set: their names, values and defaults.
 *
 * A property that a volume does not have itself comes from the store's defaults, where it is of the kind that is inherited, otherwise
 * from the table below. The store's defaults are an object among the properties of `main`, under the key `defaults`: every store has
 * that volume, and it can be neither destroyed nor renamed. Quotas are not inherited: they would be promised several times.
 *
 * Access times and durability are looked at when a volume is mounted; everything else takes effect at once. Compression and encryption
 * will be properties too. Keys that are not in the table belong to other parts (holds, rules of persistence), and stay untouched.
 */
import { StoreError } from '../errors/store-error.js';
import type { Catalog } from './catalog.js';
import { type Dataset, MAIN_NAME, type PropertyValues } from './dataset.js';
import type { Durability } from './options.js';
import { formatRetention, parseAge, parseRetention } from './retention.js';
import { formatSize, parseSize } from './sizes.js';
import { INODE_QUOTA_PROPERTY, QUOTA_PROPERTY } from './volume-quota.js';

/** Where `main` keeps the store's defaults. */
export const DEFAULTS_KEY = 'defaults';
/** Which snapshots stay when they are pruned: a rule (retention.ts). */
export const RETENTION_PROPERTY = 'retention';
/** How often a snapshot is to be taken: `1h`. */
export const INTERVAL_PROPERTY = 'snapshot-interval';
/** A limit or a rule that there is not. */
const NONE = 'none';

interface Definition {
  readonly meaning: string;
  readonly isInherited: boolean;
  /** As users write it. */
  readonly fallback: string;
  /** From what users write to what is kept, undefined for what the property cannot be. Throws StoreError with a better message. */
  parse(text: string): string | number | undefined;
  /** What is kept, as users write it; undefined for a value that cannot be. */
  format(value: unknown): string | undefined;
}

const isText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const oneOf = (meaning: string, fallback: string, words: readonly string[]): Definition => ({
  meaning: `${meaning}: ${words.join(', ')}`,
  isInherited: true,
  fallback,
  parse: (text) => words.find((word) => word === text),
  format: (value) => words.find((word) => word === value),
});

const limit = (
  meaning: string,
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
): Definition => ({
  meaning,
  isInherited: false,
  fallback: NONE,
  parse: (text) => (text === NONE ? NONE : parse(text)),
  format: (value) => (typeof value === 'number' ? format(value) : isText(value)),
});

export const PROPERTIES = {
  atime: oneOf('when reading moves the time of last access', 'relatime', ['relatime', 'noatime', 'strictatime']),
  durability: oneOf('what a crash may cost', 'interval', ['sync', 'interval', 'relaxed'] satisfies Durability[]),
  [QUOTA_PROPERTY]: limit('bytes of all its files: 500M, 10G, none', parseSize, formatSize),
  [INODE_QUOTA_PROPERTY]: limit(
    'how many files and directories: 100000, none',
    (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
    String,
  ),
  [RETENTION_PROPERTY]: {
    meaning: 'which snapshots stay when they are pruned: daily=7,within=30d, none',
    isInherited: true,
    fallback: NONE,
    parse: (text) => (text === NONE ? NONE : formatRetention(parseRetention(text))),
    format: isText,
  },
  [INTERVAL_PROPERTY]: {
    meaning: 'how often a snapshot is taken: 15m, 1h, 1d, none',
    isInherited: true,
    fallback: NONE,
    parse: (text) => (text === NONE || (parseAge(text) ?? 0) > 0 ? text : undefined),
    format: isText,
  },
} as const satisfies Readonly<Record<string, Definition>>;

export type PropertyName = keyof typeof PROPERTIES;

export const PROPERTY_NAMES = Object.keys(PROPERTIES) as PropertyName[];

/** `local`: set for the volume. `inherited`: from the store's defaults. `default`: set nowhere. */
export type PropertySource = 'local' | 'inherited' | 'default';

export interface PropertyReport {
  readonly name: PropertyName;
  /** As users write it. */
  readonly value: string;
  readonly source: PropertySource;
}

/** Throws StoreError for a name that is none. */
export function propertyName(name: string): PropertyName {
  const known = PROPERTY_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new StoreError('bad-property', `There is no property "${name}".`, `There are: ${PROPERTY_NAMES.join(', ')}.`);
}

/** Reads what a user wrote; empty for undefined, which sets it no more. Throws StoreError. */
export function parseProperty(name: PropertyName, text: string): string | number | undefined {
  if (text === '') return undefined;
  const definition: Definition = PROPERTIES[name];
  const value = definition.parse(text);
  if (value !== undefined) return value;
  throw new StoreError('bad-property', `"${text}" cannot be the property ${name}.`, `It is ${definition.meaning}.`);
}

/** What is set for all volumes of a store that do not have it otherwise. */
export function storeDefaults(catalog: Catalog): PropertyValues {
  const defaults = catalog.volumeNamed(MAIN_NAME)?.properties[DEFAULTS_KEY];
  return typeof defaults === 'object' && defaults !== null ? (defaults as PropertyValues) : {};
}

/** The property of a volume as it counts; undefined stands for the store's defaults themselves. */
export function propertyOf(catalog: Catalog, volume: Dataset | undefined, name: PropertyName): PropertyReport {
  const { format, isInherited, fallback }: Definition = PROPERTIES[name];
  const local = volume === undefined ? undefined : format(volume.properties[name]);
  if (local !== undefined) return { name, value: local, source: 'local' };
  const inherited = isInherited ? format(storeDefaults(catalog)[name]) : undefined;
  if (inherited === undefined) return { name, value: fallback, source: 'default' };
  return { name, value: inherited, source: volume === undefined ? 'local' : 'inherited' };
}
