/**
 * Receptions that are not complete: hidden volumes into which streams are received, and how far they are.
 *
 * Such a volume says of itself what it is to become, in the property `receiving`. Its snapshots are moments at which all that had
 * been received was there, each with the number of records so far: after a crash, what was done since then is taken back.
 */
import { createHash, randomBytes } from 'node:crypto';
import { StoreError } from '../errors/store-error.js';
import type { DatasetId } from '../store/units.js';
import type { Dataset } from '../volume/dataset.js';
import type { Datasets } from '../volume/datasets.js';
import type { Store } from '../volume/store.js';
import type { ResumePoint, StreamBeginning } from './format.js';

const RECEIVING = 'receiving';
const POINT = 'point';

/** What a hidden volume is to become. */
export interface Receiving {
  readonly snapshot: { readonly name: string; readonly guid: string };
  readonly base: { readonly name: string; readonly guid: string } | null;
  /** The volume that gets the snapshot. */
  readonly volume: string;
  readonly stagingName: string;
  /** It stays when the stream breaks. */
  readonly isResumable: boolean;
}

/** What `razorfs send --resume` needs to know. */
export interface Token extends ResumePoint {
  readonly snapshot: Receiving['snapshot'];
  readonly base: Receiving['base'];
}

/** An unfinished reception, and where it can be gone on with. */
export interface Unfinished {
  readonly volume: Dataset;
  readonly receiving: Receiving;
  readonly point: ResumePoint | undefined;
}

/** Volumes that a stream is being received into at this moment, in this process. */
const active = new WeakMap<Store, Set<DatasetId>>();

export function activeIn(store: Store): Set<DatasetId> {
  const known = active.get(store) ?? new Set<DatasetId>();
  active.set(store, known);
  return known;
}

export const hiddenName = (): string => `_receive-${randomBytes(8).toString('hex')}`;

export const receivingProperties = (receiving: Receiving): Record<string, unknown> => ({ [RECEIVING]: receiving });

/** What a volume is to become; undefined for one that is not hidden. */
export const receivingOf = (volume: Dataset): Receiving | undefined =>
  volume.properties[RECEIVING] as Receiving | undefined;

/** All unfinished receptions of a store. */
export function unfinishedIn(datasets: Datasets): Unfinished[] {
  return datasets.volumes.flatMap((volume) => {
    const receiving = receivingOf(volume);
    if (receiving === undefined) return [];
    return [{ volume, receiving, point: pointOf(datasets.snapshots(volume.name).at(-1)) }];
  });
}

const pointOf = (snapshot: Dataset | undefined): ResumePoint | undefined =>
  snapshot?.properties[POINT] as ResumePoint | undefined;

/** Keeps a moment at which all records up to a point have been applied, in the place of earlier ones. */
export async function keepPoint(datasets: Datasets, volume: Dataset, point: ResumePoint): Promise<void> {
  const earlier = datasets.snapshots(volume.name);
  if (pointOf(earlier.at(-1))?.count === point.count) return;
  await datasets.createSnapshot(volume.name, `at-${point.count}`, { [POINT]: point });
  await datasets.destroy(...earlier);
}

/** Takes a hidden volume away. */
export async function discard(datasets: Datasets, volume: Dataset): Promise<void> {
  await datasets.destroy(...datasets.snapshots(volume.name), volume);
}

/** The unfinished reception of the same stream. */
export const unfinishedOf = (datasets: Datasets, beginning: StreamBeginning): Unfinished | undefined =>
  unfinishedIn(datasets).find(
    ({ receiving: { snapshot, base } }) =>
      snapshot.guid === beginning.snapshot.guid && base?.guid === beginning.base?.guid,
  );

// ── Tokens ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const TOKEN_CHECK_LENGTH = 6;
const checkOf = (body: string): string => createHash('sha256').update(body).digest('hex').slice(0, TOKEN_CHECK_LENGTH);

/** One word that a person can copy from one terminal to another. */
export function encodeToken(token: Token): string {
  const body = Buffer.from(JSON.stringify(token)).toString('base64url');
  return `${body}.${checkOf(body)}`;
}

/** Throws StoreError for what is no token, or was not copied whole. */
export function decodeToken(text: string): Token {
  const [body = '', check] = text.trim().split('.');
  if (checkOf(body) !== check) {
    throw new StoreError('bad-stream', 'That is not a whole token.', 'See the tokens with: razorfs receive --token');
  }
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as Token;
}
