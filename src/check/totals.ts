/**
 * What the store counts for itself, against what the passes over its trees have counted: live bytes of segments, shared records,
 * and the counters in the superblock.
 */
import type { Superblock } from '../store/superblock.js';
import { ARENA_STRINGS } from '../volume/items.js';
import type { CatalogReading } from './catalog-reading.js';
import type { Findings } from './findings.js';
import { RECORD_KINDS, type RecordCensus, type RecordKind } from './record-census.js';
import type { StoreUnderCheck } from './store-under-check.js';
import type { CheckedTree } from './trees.js';

const WORD = 0x1_0000_0000;

const RECORD_NAMES: Readonly<Record<RecordKind, string>> = { string: 'string', extent: 'pack extent', blob: 'blob' };

/** Live bytes of the segments. Every page must have been seen. */
export function checkLiveBytes(
  store: StoreUnderCheck,
  catalog: CatalogReading,
  census: RecordCensus,
  findings: Findings,
): void {
  // Damaged records are not counted: the difference is theirs.
  if (hasDamagedRecords(findings)) return;
  for (const minor of new Set([...catalog.segments.keys(), ...census.live.keys()])) {
    const [stored, counted] = [catalog.segments.get(minor) ?? 0, census.live.get(minor) ?? 0];
    if (stored === counted) continue;
    const reader = Math.floor(minor / WORD) === ARENA_STRINGS ? store.strings : store.packs;
    const effect = stored < counted ? 'it might be deleted while in use' : 'its space is not used again';
    const where = `${reader.recordName} segment ${minor % WORD}`;
    findings.error('live-bytes', where, `counts ${stored} bytes in use, has ${counted}`, effect);
  }
}

const hasDamagedRecords = (findings: Findings): boolean =>
  (['name', 'xattr', 'symlink', 'extent', 'item', 'dataset'] as const).some((code) => findings.has(code));

/** The counts of records that more than one leaf points to. Every page must have been seen. */
export function checkShared(catalog: CatalogReading, census: RecordCensus, findings: Findings): void {
  for (const kind of RECORD_KINDS) {
    const [stored, counted] = [catalog.shared[kind], census.shared[kind]];
    for (const record of new Set([...stored.keys(), ...counted.keys()])) {
      const [others, should] = [stored.get(record), counted.get(record) ?? 0];
      if ((others ?? 0) === should && others !== 0) continue;
      const effect =
        (others ?? 0) < should ? 'it might be changed or deleted while it is used' : 'its space is not used again';
      const where = kind === 'blob' ? `blob ${record}` : `${RECORD_NAMES[kind]} at ${record}`;
      const problem = `counted as used ${(others ?? 0) + 1} times, should be ${should + 1}`;
      findings.error('shared', where, problem, effect);
    }
  }
}

export interface Totals {
  /** Of volumes. */
  readonly inodes: number;
  readonly dataBytes: number;
  /** The highest numbers in use. */
  readonly inoMax: number;
  readonly blobMax: number;
}

/** Adds up what the trees hold. */
export function totalsOf(catalog: CatalogReading, trees: ReadonlyMap<number, CheckedTree>, blobMax: number): Totals {
  const ofVolumes = catalog.volumes.flatMap(({ id }) => trees.get(id) ?? []);
  return {
    inodes: ofVolumes.reduce((sum, tree) => sum + tree.inodes, 0),
    dataBytes: ofVolumes.reduce((sum, tree) => sum + tree.dataBytes, 0),
    inoMax: Math.max(0, ...[...trees.values()].map((tree) => tree.inoMax)),
    blobMax,
  };
}

/** The counters in the superblock. `isWhole`: every page was seen. */
export function checkCounters(
  superblock: Superblock,
  catalog: CatalogReading,
  totals: Totals,
  isWhole: boolean,
  findings: Findings,
): void {
  const counter = (problem: string, effect = ''): void => findings.error('counter', 'superblock', problem, effect);
  if (isWhole) {
    const { inodes, dataBytes } = totals;
    if (superblock.inodes !== inodes) counter(`counts ${superblock.inodes} inodes, there are ${inodes}`);
    // Sums beyond 2^53 are not exact, whoever counts.
    if (superblock.dataBytes !== dataBytes && dataBytes <= Number.MAX_SAFE_INTEGER)
      counter(`counts ${superblock.dataBytes} bytes of data, files have ${dataBytes}`);
    const shared = RECORD_KINDS.reduce((sum, kind) => sum + catalog.shared[kind].size, 0);
    if (superblock.sharedRecords !== shared)
      counter(`counts ${superblock.sharedRecords} shared records, there are ${shared}`, 'shared data might be changed');
  }
  const overwrites = 'new files would overwrite others';
  if (superblock.nextIno <= totals.inoMax)
    counter(`next inode is ${superblock.nextIno}, but inode ${totals.inoMax} exists`, overwrites);
  if (superblock.nextBlob <= totals.blobMax)
    counter(`next blob is ${superblock.nextBlob}, but blob ${totals.blobMax} exists`, overwrites);
}
