/**
 * Commands on the properties of volumes, and on the defaults of a store.
 */
import { StoreError } from '../../errors/store-error.js';
import { MAIN_NAME } from '../../volume/dataset.js';
import {
  DEFAULTS_KEY,
  PROPERTIES,
  PROPERTY_NAMES,
  type PropertyReport,
  parseProperty,
  propertyName,
  propertyOf,
  storeDefaults,
} from '../../volume/properties.js';
import { volumeNamed } from './dataset-names.js';
import type { CommandContext, StoreCommand } from './store-command.js';

export interface PropertiesReport {
  /** Null for the store's defaults. */
  readonly volume: string | null;
  readonly properties: readonly PropertyReport[];
}

interface Subject {
  /** Undefined for the volume that the command is about. */
  readonly volume: string | undefined;
  /** The store's defaults instead of a volume. */
  readonly defaults: boolean;
}

function report(
  { volume: name, defaults }: Subject,
  names: readonly string[],
  context: CommandContext,
): PropertiesReport {
  const { catalog } = context.store.state;
  const volume = defaults ? undefined : volumeNamed(name, context);
  const all = PROPERTY_NAMES.filter((known) => !defaults || PROPERTIES[known].isInherited);
  const wanted = names.length === 0 ? all : names.map(propertyName);
  return { volume: volume?.name ?? null, properties: wanted.map((known) => propertyOf(catalog, volume, known)) };
}

/** The properties of a volume, with where each comes from. `names`: none for all. */
export const getProperties: StoreCommand<Subject & { readonly names: readonly string[] }, PropertiesReport> = async (
  { names, ...subject },
  context,
) => report(subject, names, context);

/** Sets properties, as their user wrote them; those that are empty are set no more. */
export const setProperties: StoreCommand<
  Subject & { readonly changes: Readonly<Record<string, string>> },
  PropertiesReport
> = async ({ changes, ...subject }, context) => {
  const { datasets, store } = context;
  const parsed = Object.entries(changes).map(([name, text]) => {
    const known = propertyName(name);
    if (subject.defaults && !PROPERTIES[known].isInherited) throw notInherited(name);
    return [known, parseProperty(known, text)] as const;
  });
  if (subject.defaults) {
    const merged = Object.entries({ ...storeDefaults(store.state.catalog), ...Object.fromEntries(parsed) });
    const defaults = Object.fromEntries(merged.filter(([, value]) => value !== undefined));
    await datasets.setProperties(datasets.volume(MAIN_NAME), { [DEFAULTS_KEY]: defaults });
  } else {
    await datasets.setProperties(volumeNamed(subject.volume, context), Object.fromEntries(parsed));
  }
  return report(subject, Object.keys(changes), context);
};

const notInherited = (name: string): StoreError =>
  new StoreError('bad-property', `The property ${name} is of each volume alone.`, 'Set it for a volume: --volume NAME');
