/**
 * Repair: what will be done, and doing it.
 *
 * Invariants:
 * - Nothing that the superblock in force reaches is written: new pages, strings and extents go after the last ones, the new
 *   reference counts into the file of the other epoch. All of it is durable before the new superblock is written, which is the
 *   moment from which the repair counts. A crash before it leaves the store as it was.
 * - Superblock and reference counts, and the log if something of it goes, are copied to repair-backup-TIME/ in the store first.
 * - No data is invented: see inode-fates.ts.
 */
import { BLOBS_DIRECTORY } from '../blobs/blob-store.js';
import { PACKS_DIRECTORY } from '../blobs/packs.js';
import { crc32cPages } from '../native/addon.js';
import { type Disk, DiskError } from '../store/disk.js';
import { PAGE_SIZE } from '../store/geometry.js';
import { encodeSuperblock, readSlots, SUPERBLOCK_NAME, type Superblock } from '../store/superblock.js';
import { asAddress, asBlobId, asEpoch, asIno, asLsn, type Epoch } from '../store/units.js';
import { nodesSegmentName } from '../tree/page-file.js';
import { REFERENCE_BLOCK_HEADER_WORDS, REFERENCES_PER_BLOCK, referencesName } from '../tree/references.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import { LOG_SEGMENT_HEADER_BYTES } from '../wal/segment.js';
import type { CheckResult } from './check.js';
import { cutLog } from './cut-log.js';
import { type FindingCode, REPAIRS } from './findings.js';
import { type RebuiltStore, StoreRebuild } from './rebuilt-store.js';

const COPY_BYTES = 1024 * 1024;

/** Findings that leave all trees as they are: only what is beside them is written anew. */
const BESIDE_TREES: readonly FindingCode[] = ['superblock-slot', 'references', 'log', 'file'];

export interface RepairPlan {
  /** What will be done, one sentence each. */
  readonly steps: readonly string[];
  readonly needsNewTrees: boolean;
  readonly setsLogAside: boolean;
  /** Only the log is mended, so that the next mount can apply what is left of it. */
  readonly cutsLog: boolean;
}

/** What a repair of these findings will do. `discardLog`: waiting operations are given up. */
export function planRepair(result: CheckResult, discardLog: boolean): RepairPlan {
  const codes = [...result.findings.errorsByCode.keys()];
  const { pending } = result.log;
  if (pending > 0 && codes.includes('log') && !discardLog) {
    const step = `cut the log off after ${pending} operations, which the next mount applies, and set the rest aside`;
    return { steps: [step], needsNewTrees: false, setsLogAside: false, cutsLog: true };
  }
  const setsLogAside = discardLog || codes.includes('log');
  const steps = codes
    .filter((code) => REPAIRS[code] !== '')
    .map((code) => `${REPAIRS[code]} (${counted(result.findings.errorsByCode.get(code) ?? 0)})`);
  if (discardLog && pending > 0) steps.push(`give up the ${pending} operations in the log`);
  // Without a catalog all counters are in the superblock.
  const beside = result.catalog.isMissing ? [...BESIDE_TREES, 'counter'] : BESIDE_TREES;
  return { steps, needsNewTrees: codes.some((code) => !beside.includes(code)), setsLogAside, cutsLog: false };
}

const counted = (findings: number): string => `${findings} ${findings === 1 ? 'finding' : 'findings'}`;

/** Directory for the originals of what will be replaced, relative to the store. */
export const backupDirectory = (now: number): string =>
  `repair-backup-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;

/** Repairs a store by a plan. Throws DiskError when the disk is full or fails, the store then being as it was. */
export async function repairStore(disk: Disk, result: CheckResult, plan: RepairPlan, now: number): Promise<void> {
  const { superblock } = result;
  backUp(disk, backupDirectory(now), plan.setsLogAside || plan.cutsLog);
  if (plan.cutsLog) {
    cutLog(disk, superblock, result.log);
    return;
  }
  for (const name of [BLOBS_DIRECTORY, PACKS_DIRECTORY, LOG_DIRECTORY]) disk.makeDirectory(name);
  const epoch = asEpoch(superblock.epoch + 1);
  const made = plan.needsNewTrees ? await newTrees(disk, result, epoch, now) : sameTrees(disk, result);
  await writeReferences(disk, superblock, made.references, epoch);
  const repaired: Superblock = { ...superblock, ...made.changes, epoch, lsn: lsnAfter(disk, superblock), clean: true };
  await writeSuperblock(disk, superblock, repaired);
  if (plan.setsLogAside) for (const name of disk.list(LOG_DIRECTORY)) disk.remove(`${LOG_DIRECTORY}/${name}`);
}

// ── Originals ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function backUp(disk: Disk, directory: string, withLog: boolean): void {
  disk.makeDirectory(directory);
  const names = [SUPERBLOCK_NAME, referencesName(asEpoch(0)), referencesName(asEpoch(1))];
  for (const name of names) copyFile(disk, name, `${directory}/${name}`);
  if (withLog && disk.exists(LOG_DIRECTORY)) {
    disk.makeDirectory(`${directory}/${LOG_DIRECTORY}`);
    for (const name of disk.list(LOG_DIRECTORY)) {
      copyFile(disk, `${LOG_DIRECTORY}/${name}`, `${directory}/${LOG_DIRECTORY}/${name}`);
    }
  }
  disk.syncDirectory(directory);
  disk.syncDirectory('');
}

function copyFile(disk: Disk, from: string, to: string): void {
  if (!disk.exists(from)) return;
  const source = disk.open(from, 'read');
  const target = disk.open(to, 'create');
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    // Holes stay holes: a damaged size may be far more than the host has room for.
    target.truncate(source.size());
    for (let from = source.seekData(0); from >= 0; from = source.seekData(from)) {
      const end = source.seekHole(from);
      while (from < end) {
        const length = source.read(buffer, 0, Math.min(COPY_BYTES, end - from), from);
        if (length === 0) break;
        target.write(buffer, 0, length, from);
        from += length;
      }
    }
    target.syncNow();
  } finally {
    source.close();
    target.close();
  }
}

// ── The trees ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Keeps the trees, and takes the counts from what the check has counted. */
function sameTrees(disk: Disk, result: CheckResult): RebuiltStore {
  const { superblock, references, totals } = result;
  ensurePages(disk, superblock, references.length);
  return {
    references,
    changes: {
      nodesCapacity: references.length,
      inodes: totals.inodes,
      dataBytes: totals.dataBytes,
      stringsEnd: asAddress(result.stringsEnd),
      packsEnd: asAddress(result.packsEnd),
      nextIno: asIno(Math.max(superblock.nextIno, totals.inoMax + 1)),
      nextBlob: asBlobId(Math.max(superblock.nextBlob, totals.blobMax + 1)),
    },
  };
}

/** Writes trees anew from what can be read. */
async function newTrees(disk: Disk, result: CheckResult, epoch: Epoch, now: number): Promise<RebuiltStore> {
  const first = result.references.length;
  ensurePages(disk, result.superblock, first);
  const rebuild = new StoreRebuild(disk, result, first, epoch, now);
  try {
    return await rebuild.run();
  } finally {
    rebuild.close();
  }
}

/** Makes the files of nodes.dat as long as `pages` pages need; what was missing is no page of the tree. */
function ensurePages(disk: Disk, superblock: Superblock, pages: number): void {
  const segmentPages = superblock.geometry.nodesSegmentBytes / PAGE_SIZE;
  for (let index = 0; index * segmentPages < pages; index++) {
    const name = nodesSegmentName(index);
    const file = disk.open(name, disk.exists(name) ? 'write' : 'create');
    const bytes = Math.min(segmentPages, pages - index * segmentPages) * PAGE_SIZE;
    try {
      if (file.size() < bytes) file.allocate(0, bytes);
    } finally {
      file.close();
    }
  }
}

// ── What is beside the trees ────────────────────────────────────────────────────────────────────────────────────────────

/** Writes the counts of an epoch, and makes sure that the file of the other epochs is there. */
async function writeReferences(
  disk: Disk,
  superblock: Superblock,
  counts: Uint32Array,
  epoch: Superblock['epoch'],
): Promise<void> {
  const blockCount = Math.ceil(counts.length / REFERENCES_PER_BLOCK);
  const other = referencesName(superblock.epoch);
  if (!disk.exists(other)) disk.open(other, 'create').close();
  const name = referencesName(epoch);
  const file = disk.open(name, disk.exists(name) ? 'write' : 'create');
  try {
    if (file.size() < blockCount * PAGE_SIZE) file.allocate(0, blockCount * PAGE_SIZE);
    const words = new Uint32Array(PAGE_SIZE / 4);
    const bytes = new Uint8Array(words.buffer);
    for (let block = 0; block < blockCount; block++) {
      const first = block * REFERENCES_PER_BLOCK;
      words.fill(0);
      words[1] = block;
      words[2] = epoch >>> 0;
      words[3] = Math.floor(epoch / 0x1_0000_0000);
      words.set(counts.subarray(first, first + REFERENCES_PER_BLOCK), REFERENCE_BLOCK_HEADER_WORDS);
      // Page 0 is never used, and counted as taken.
      if (block === 0) words[REFERENCE_BLOCK_HEADER_WORDS] = 1;
      crc32cPages(bytes, Uint32Array.of(0), 1, 0);
      file.write(bytes, 0, PAGE_SIZE, block * PAGE_SIZE);
    }
    await file.sync();
  } finally {
    file.close();
  }
  disk.syncDirectory('');
}

/** Beyond every segment that a log file holds, so that nothing in one of them can be taken for a part of the new log. */
function lsnAfter(disk: Disk, superblock: Superblock): Superblock['lsn'] {
  const dataBytes = superblock.geometry.logSegmentBytes - LOG_SEGMENT_HEADER_BYTES;
  let last = Math.floor(superblock.lsn / dataBytes);
  const header = Buffer.alloc(32);
  for (const name of disk.list(LOG_DIRECTORY)) {
    const file = disk.open(`${LOG_DIRECTORY}/${name}`, 'read');
    try {
      if (file.read(header, 0, 32, 0) === 32) last = Math.max(last, plausibleSegment(header, last));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    } finally {
      file.close();
    }
  }
  return asLsn((last + 1) * dataBytes);
}

/** The segment number in a header that may be damaged; a number far beyond the others is not believed. */
function plausibleSegment(header: Buffer, last: number): number {
  const number = header.readUInt32LE(28) * 0x1_0000_0000 + header.readUInt32LE(24);
  return number < last + 1_000_000 ? number : 0;
}

/** Writes the slot that is not in force; then the other one too if it is in the wrong place. */
async function writeSuperblock(disk: Disk, old: Superblock, repaired: Superblock): Promise<void> {
  const inForce = readSlots(disk).findIndex(
    (slot) => slot.kind === 'valid' && slot.superblock.sequence === old.sequence,
  );
  const isMisplaced = old.sequence % 2 !== inForce;
  const file = disk.open(SUPERBLOCK_NAME, 'write');
  try {
    const first = 1 - inForce;
    const sequence = old.sequence + (isMisplaced ? 2 : 1);
    const slots = isMisplaced ? [first, inForce] : [first];
    for (const [turn, slot] of slots.entries()) {
      file.write(encodeSuperblock({ ...repaired, sequence: sequence + turn }), 0, PAGE_SIZE, slot * PAGE_SIZE);
      await file.sync();
    }
  } finally {
    file.close();
  }
}
