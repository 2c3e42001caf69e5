/**
 * Sends snapshots, and receives them: the stream is the output of the one command and the input of the other.
 */
import { StoreError } from '../../errors/store-error.js';
import { snapshotsWith } from '../../transfer/identity.js';
import { activeIn, decodeToken, discard, unfinishedIn } from '../../transfer/partial.js';
import { type ReceiveReport, type ReceivingMounts, receiveStream, tokenOf } from '../../transfer/receive.js';
import { type SendRequest, sendStream } from '../../transfer/send.js';
import type { Dataset } from '../../volume/dataset.js';
import { requireSnapshot } from './dataset-names.js';
import { checkNothingMountedBelow } from './mounts-within.js';
import type { CommandContext, StoreCommand } from './store-command.js';

export type SendArgs =
  | { readonly snapshot: string; readonly from: string | undefined; readonly token?: undefined }
  | { readonly token: string };

export interface SendProgress {
  readonly bytes: number;
}

export interface SendResult {
  /** `volume@snapshot` */
  readonly name: string;
  readonly bytes: number;
}

/** Progress is told after so many bytes. */
const PROGRESS_BYTES = 1024 * 1024;

export const sendSnapshot: StoreCommand<SendArgs, SendResult> = async (args, context) => {
  const { store, datasets, signal, write, progress } = context;
  const request =
    args.token === undefined ? requestFor(args.snapshot, args.from, context) : resumed(args.token, context);
  let bytes = 0;
  let told = 0;
  for await (const chunk of sendStream(store, request)) {
    signal.throwIfAborted();
    await write(chunk);
    bytes += chunk.length;
    if (bytes - told < PROGRESS_BYTES) continue;
    progress({ bytes } satisfies SendProgress);
    told = bytes;
  }
  return { name: datasets.nameOf(request.snapshot), bytes };
};

function requestFor(name: string, from: string | undefined, context: CommandContext): SendRequest {
  const snapshot = requireSnapshot(name, context);
  if (from === undefined) return { snapshot, base: undefined, resume: undefined };
  const volume = context.store.state.catalog.require(snapshot.volume);
  const base = requireSnapshot(from, { ...context, volume });
  if (base.id === snapshot.id) {
    throw new StoreError('wrong-base', `"${name}" cannot be sent as what has changed since itself.`);
  }
  return { snapshot, base, resume: undefined };
}

function resumed(text: string, { store }: CommandContext): SendRequest {
  const { snapshot, base, count, outline } = decodeToken(text);
  const find = ({ name, guid }: { readonly name: string; readonly guid: string }): Dataset => {
    const found = snapshotsWith(store, guid)[0];
    if (found !== undefined) return found;
    throw new StoreError(
      'no-such-snapshot',
      `The token is about the snapshot "${name}", which the store does not have any more.`,
      'Send another one from its beginning.',
    );
  };
  return {
    snapshot: find(snapshot),
    base: base === null ? undefined : find(base),
    resume: { count, outline },
  };
}

export interface ReceiveArgs {
  readonly volume: string | undefined;
  readonly resumable: boolean;
  readonly force: boolean;
}

export interface ReceiveProgress {
  readonly bytes: number;
  readonly snapshot: string;
}

export const receiveSnapshot: StoreCommand<ReceiveArgs, ReceiveReport> = async (args, context) => {
  const { store, datasets, input, signal, progress } = context;
  const { volume, resumable: isResumable, force } = args;
  const mounts: ReceivingMounts = {
    flush: (id) => context.mounts.flush(id),
    checkReplaceable: (target) => checkNothingMountedBelow(target, '', context),
    rolledBack: (id, path) => context.mounts.rolledBack(id, path),
  };
  let told = 0;
  return receiveStream(store, datasets, mounts, input, { volume, isResumable, force }, (bytes, { snapshot }) => {
    signal.throwIfAborted();
    if (bytes - told < PROGRESS_BYTES) return;
    progress({ bytes, snapshot: snapshot.name } satisfies ReceiveProgress);
    told = bytes;
  });
};

export interface UnfinishedReport {
  readonly snapshot: string;
  /** The volume that is to get it. */
  readonly volume: string;
  /** Null for one that has to begin anew. */
  readonly token: string | null;
}

/** Lists receptions that can be gone on with. */
export const listUnfinished: StoreCommand<object, { readonly unfinished: readonly UnfinishedReport[] }> = async (
  _args,
  { store, datasets },
) => ({
  unfinished: unfinishedIn(datasets)
    .filter(({ volume, receiving }) => receiving.isResumable && !activeIn(store).has(volume.id))
    .map((one) => ({
      snapshot: one.receiving.snapshot.name,
      volume: one.receiving.volume,
      token: tokenOf(one) ?? null,
    })),
});

/** Gives up receptions that are not complete, and the space that they take. Returns how many there were. */
export const discardUnfinished: StoreCommand<object, { readonly discarded: number }> = async (
  _args,
  { store, datasets },
) => {
  const idle = unfinishedIn(datasets).filter(({ volume }) => !activeIn(store).has(volume.id));
  for (const { volume } of idle) await discard(datasets, volume);
  return { discarded: idle.length };
};
