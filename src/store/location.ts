/**
 * Where the store lives when nobody says, and whether what was said can be one.
 *
 * The order: the option, $RAZORFS_STORE, /var/lib/razorfs, $XDG_STATE_HOME/razorfs (XDG Base Directory Specification; by
 * default ~/.local/state/razorfs), /tmp/razorfs_data. A place that the user named is taken or refused, never passed
 * over. `chooseStore` decides on facts alone; `locateStore` asks the host for them. Nothing is made here.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { StoreError } from '../errors/store-error.js';
import { nearestExisting } from './volatile.js';

/** Why a place was chosen: named by option or environment, or a default for the system, the user, or the last resort. */
export type StoreReason = 'option' | 'environment' | 'system' | 'user' | 'temporary';

export interface StoreLocation {
  /** Absolute. The directory may be missing; then it can be made. */
  readonly path: string;
  readonly reason: StoreReason;
}

/**
 * `usable`: a directory that can be read and written. `creatable`: nothing there, and it can be made. `read-only`: a directory
 * on a file system that is mounted so. `denied`: not for this user, there or missing. `not-a-directory`: it or a parent.
 */
export type PlaceState = 'usable' | 'creatable' | 'read-only' | 'denied' | 'not-a-directory';

/** The facts about the host that the choice depends on. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
  stateOf(path: string): PlaceState;
  /** False for what another user owns, be it only the symlink at the end; true where there is nothing. */
  belongsToUser(path: string): boolean;
}

const SYSTEM_STORE = '/var/lib/razorfs';
const TEMPORARY_STORE = '/tmp/razorfs_data';

/** Chooses the store's place; `option` is what the user gave with --store, if anything. */
export const chooseStore = (option: string | undefined, host: Host): StoreLocation => {
  if (option !== undefined) return named(option, 'option', host);
  // An empty variable is as good as none (XDG Base Directory Specification, and habit).
  const variable = host.environment.RAZORFS_STORE;
  if (variable) return named(variable, 'environment', host);

  const system = byDefault(SYSTEM_STORE, 'system', host);
  if (system !== undefined) return system;
  const user = byDefault(path.join(stateHome(host), 'razorfs'), 'user', host);
  if (user !== undefined) return user;
  // Anyone may put a directory of this name into /tmp and read along.
  if (!host.belongsToUser(TEMPORARY_STORE)) {
    throw new StoreError('no-permission', `${TEMPORARY_STORE} belongs to another user.`, NAME_ONE);
  }
  const temporary = byDefault(TEMPORARY_STORE, 'temporary', host);
  if (temporary !== undefined) return temporary;
  throw new StoreError('no-permission', 'No place for a store can be written by this user.', NAME_ONE);
};

/** The store's place on this host. */
export const locateStore = (option: string | undefined): StoreLocation =>
  chooseStore(option, {
    environment: process.env,
    homeDirectory: os.homedir(),
    workingDirectory: process.cwd(),
    stateOf: placeState,
    belongsToUser,
  });

const NAME_ONE = 'Name a directory with --store DIR or $RAZORFS_STORE.';

const stateHome = (host: Host): string => {
  const variable = host.environment.XDG_STATE_HOME;
  // Relative values are to be ignored (same specification).
  return variable && path.isAbsolute(variable) ? variable : path.join(host.homeDirectory, '.local/state');
};

const named = (name: string, reason: StoreReason, host: Host): StoreLocation => {
  if (name === '') throw new StoreError('not-a-store', 'The name of the store is empty.', NAME_ONE);
  const place = path.resolve(host.workingDirectory, name);
  const state = host.stateOf(place);
  switch (state) {
    case 'usable':
    case 'creatable':
    case 'read-only':
      return { path: place, reason };
    case 'denied':
      throw new StoreError(
        'no-permission',
        `The store ${place} cannot be used: permission denied.`,
        'Try again as its owner or as root, or name another directory with --store DIR.',
      );
    case 'not-a-directory':
      throw notADirectory(place);
    default:
      return state satisfies never;
  }
};

/** Undefined where this user has to look further. A file in the way is an error: data may be expected behind it. */
const byDefault = (place: string, reason: StoreReason, host: Host): StoreLocation | undefined => {
  const state = host.stateOf(place);
  switch (state) {
    case 'usable':
    case 'creatable':
    case 'read-only':
      return { path: place, reason };
    case 'denied':
      return undefined;
    case 'not-a-directory':
      throw notADirectory(place);
    default:
      return state satisfies never;
  }
};

const notADirectory = (place: string): StoreError =>
  new StoreError(
    'not-a-store',
    `The store ${place} cannot be used: it, or a parent of it, is not a directory.`,
    NAME_ONE,
  );

/** What the host says of a place, without changing it. */
export const placeState = (place: string): PlaceState => {
  const existing = nearestExisting(place);
  const { R_OK, W_OK, X_OK } = fs.constants;
  try {
    if (!fs.statSync(existing).isDirectory()) return 'not-a-directory';
    if (fs.existsSync(place)) {
      fs.accessSync(place, R_OK | W_OK | X_OK);
      return 'usable';
    }
    fs.accessSync(existing, W_OK | X_OK);
    return 'creatable';
  } catch (error) {
    const readOnly = (error as NodeJS.ErrnoException).code === 'EROFS';
    return readOnly && fs.existsSync(place) ? 'read-only' : 'denied';
  }
};

const belongsToUser = (place: string): boolean => {
  const status = fs.lstatSync(place, { throwIfNoEntry: false });
  return status === undefined || status.uid === process.geteuid?.();
};
