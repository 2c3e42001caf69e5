/**
 * The rows that the load generator measures on one target: small files, durable files, one large file, several clients.
 */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Work, type WorkOptions, type WorkResult, work } from '../client.js';
import type { Amounts } from './amounts.js';
import type { Conditions } from './conditions.js';
import type { RowKey } from './rows.js';

/** Takes what a row measured. */
export type Record = (row: RowKey, value: number) => void;

const PAGE_BYTES = 4096;

const perSecond = ({ operations, nanoseconds }: WorkResult): number => (operations * 1e9) / nanoseconds;
const megabytesPerSecond = (result: WorkResult): number => (perSecond(result) * PAGE_BYTES) / 1e6;

/** The work on a target's directory, in parts that do not need each other. */
export const fileParts = (
  directory: string,
  amounts: Amounts,
  conditions: Conditions,
  record: Record,
): (() => Promise<void>)[] => [
  () => smallFiles(path.join(directory, 'small'), amounts.files, conditions, record),
  () => durableFiles(path.join(directory, 'durable'), amounts.durableFiles, conditions, record),
  () => largeFile(path.join(directory, 'large'), amounts, conditions, record),
  () => appendedFile(path.join(directory, 'appended'), amounts.appends, conditions, record),
  () => severalClients(path.join(directory, 'mixed'), amounts.mixedFiles, conditions, record),
];

async function smallFiles(place: string, files: number, conditions: Conditions, record: Record): Promise<void> {
  const measure = async (row: RowKey, name: Work, options?: WorkOptions) => {
    await conditions.settle();
    record(row, perSecond(await work(name, place, files, options)));
  };
  mkdirSync(place);
  await measure('create', 'create');
  record('stat', perSecond(await work('stat', place, files)));
  await measure('read', 'read');
  await conditions.dropCache('all');
  record('listStatus', perSecond(await work('list-stat', place, files)));
  await measure('rename', 'rename');
  await measure('unlink', 'unlink', { prefix: 'r' });
}

async function durableFiles(place: string, files: number, conditions: Conditions, record: Record): Promise<void> {
  mkdirSync(place);
  await conditions.settle();
  record('createFsync', perSecond(await work('create-fsync', place, files)));
  rmSync(place, { recursive: true });
}

async function largeFile(place: string, amounts: Amounts, conditions: Conditions, record: Record): Promise<void> {
  const { pages, randomReads, randomWrites } = amounts;
  mkdirSync(place);
  await conditions.settle();
  record('writeLarge', megabytesPerSecond(await work('write-large', place, pages)));
  await conditions.dropCache('all');
  record('readLarge', megabytesPerSecond(await work('read-large', place, pages)));
  record('randomRead', perSecond(await work('random-read', place, randomReads, { span: pages })));
  await conditions.settle();
  record('randomWrite', perSecond(await work('random-write', place, randomWrites, { span: pages })));
  await conditions.dropCache('all');
  await work('read-large', place, pages);
  rmSync(place, { recursive: true });
}

/** Counts only where what was appended is there: not every file system appends. */
async function appendedFile(place: string, appends: number, conditions: Conditions, record: Record): Promise<void> {
  mkdirSync(place);
  await conditions.settle();
  const appended = await work('append', place, appends);
  await conditions.dropCache('all');
  await work('verify-append', place, appends);
  record('append', perSecond(appended));
  rmSync(place, { recursive: true });
}

async function severalClients(place: string, files: number, conditions: Conditions, record: Record): Promise<void> {
  for (const [clients, row] of [
    [1, 'mixed1'],
    [4, 'mixed4'],
    [16, 'mixed16'],
  ] as const) {
    mkdirSync(place);
    await conditions.settle();
    record(row, perSecond(await work('mixed', place, files, { clients })));
    rmSync(place, { recursive: true });
  }
}
