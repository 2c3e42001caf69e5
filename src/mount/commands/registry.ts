/**
 * All commands on a store, by the names under which they are asked for. Whoever asks needs the types only: the commands themselves
 * are loaded by the process that runs them.
 */

import { EROFS } from '../../errors/errno.js';
import { readOnlyStore } from '../read-only-store.js';
import { diffStates } from './diff.js';
import { addRules, listRules, persistenceStatus, removeRules, resetVolume } from './persistence.js';
import { getProperties, setProperties } from './properties.js';
import { pruneSnapshots } from './prune.js';
import { listQuotas, removeQuota, setQuota } from './quotas.js';
import { rollBack } from './rollback.js';
import {
  createSnapshot,
  destroySnapshots,
  holdSnapshot,
  listSnapshots,
  releaseSnapshot,
  renameSnapshot,
} from './snapshots.js';
import type { CommandContext, StoreCommand } from './store-command.js';
import { discardUnfinished, listUnfinished, receiveSnapshot, sendSnapshot } from './transfer.js';
import { createVolume, destroyVolume, listVolumes, renameVolume } from './volumes.js';

export const STORE_COMMANDS = {
  diff: diffStates,
  send: sendSnapshot,
  receive: receiveSnapshot,
  'receive list': listUnfinished,
  'receive discard': discardUnfinished,
  'quota set': setQuota,
  'quota remove': removeQuota,
  'quota list': listQuotas,
  'snapshot create': createSnapshot,
  'snapshot list': listSnapshots,
  'snapshot destroy': destroySnapshots,
  'snapshot rename': renameSnapshot,
  'snapshot hold': holdSnapshot,
  'snapshot release': releaseSnapshot,
  rollback: rollBack,
  'volume create': createVolume,
  'volume list': listVolumes,
  'volume destroy': destroyVolume,
  'volume rename': renameVolume,
  'volume get': getProperties,
  'volume set': setProperties,
  prune: pruneSnapshots,
  'persist add': addRules,
  'persist remove': removeRules,
  'persist list': listRules,
  'persist status': persistenceStatus,
  reset: resetVolume,
};

type StoreCommands = typeof STORE_COMMANDS;

export type StoreCommandName = keyof StoreCommands;

export type ArgsOf<Name extends StoreCommandName> =
  StoreCommands[Name] extends StoreCommand<infer Args, infer _Result> ? Args : never;

export type ResultOf<Name extends StoreCommandName> = Awaited<ReturnType<StoreCommands[Name]>>;

/** The command of a name; undefined for a name that this version does not know. Its arguments are as their sender made them. */
export function storeCommand(name: string): StoreCommand<object, unknown> | undefined {
  if (!Object.hasOwn(STORE_COMMANDS, name)) return undefined;
  const command = STORE_COMMANDS[name as StoreCommandName] as StoreCommand<object, unknown>;
  return (args, context) => explained(command(args, context), context);
}

/** What changes a store that cannot be changed is told why. */
async function explained(result: Promise<unknown>, { store }: CommandContext): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    throw error === EROFS && !store.isWritable ? readOnlyStore(store) : error;
  }
}
