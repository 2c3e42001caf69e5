/**
 * The check of a store: all parts in order. Nothing is written.
 *
 * It relies on the format definitions and on store/ alone, not on the code that serves, so as not to share its mistakes. The
 * caller holds the store's lock.
 */
import { BLOBS_DIRECTORY } from '../blobs/blob-store.js';
import { PACKS_DIRECTORY } from '../blobs/packs.js';
import type { Disk } from '../store/disk.js';
import { chooseSuperblock, readSlots, type Superblock } from '../store/superblock.js';
import { ROOT_INO } from '../store/units.js';
import { ARENA_STRINGS } from '../volume/items.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import type { ArenaReader } from './arena-reader.js';
import { BlobCheck } from './blobs.js';
import { type FindingListener, Findings, type ProgressListener } from './findings.js';
import { InodePass } from './inode-pass.js';
import { checkLog, type LogSummary } from './log.js';
import { Page } from './page-reader.js';
import { pause } from './pause.js';
import { checkReferences } from './references.js';
import { StoreUnderCheck } from './store-under-check.js';
import { type Survey, surveyTree } from './survey.js';

export interface CheckOptions {
  /** Of this host, 32 hexadecimal digits: tells whether the log outlived the host. */
  readonly bootId: string;
  readonly onFinding: FindingListener;
  readonly onProgress: ProgressListener;
}

export interface CheckResult {
  readonly superblock: Superblock;
  readonly findings: Findings;
  readonly log: LogSummary;
  readonly survey: Survey;
  /** Of the regular files that were seen, bytes. */
  readonly dataBytes: number;
  /** The highest numbers that are in use. */
  readonly inoMax: number;
  readonly blobMax: number;
  /** Ends of strings and packs that are right. */
  readonly stringsEnd: number;
  readonly packsEnd: number;
  /** Reads that the host refused. What it gives to read later must not be given up: such a store is not repaired. */
  readonly readFailures: number;
}

const WORD = 0x1_0000_0000;

/** Checks a store. Throws StoreError when there is none, or no superblock that can be used. */
export async function checkStore(disk: Disk, options: CheckOptions): Promise<CheckResult> {
  const findings = new Findings(options.onFinding);
  const superblock = chooseSuperblock(disk);
  checkSlots(disk, superblock, findings);
  checkFiles(disk, findings);
  const log = checkLog(disk, superblock, options.bootId, findings);
  const store = new StoreUnderCheck(disk, superblock);
  try {
    for (const { name, problem } of store.pages.fileProblems()) {
      findings.error('file', name, problem, 'the store cannot be mounted');
    }
    const survey = await surveyTree(store, findings, options.onProgress);
    const isWhole = survey.lost.length === 0;
    checkReferences(store, survey.references, isWhole, findings);
    const blobs = new BlobCheck(store, findings);
    const pass = new InodePass(store, survey, findings, blobs);
    await passOver(survey, pass, options.onProgress);
    checkVolumeItems(store, survey, pass, findings);
    await blobs.finish(survey.deadBlobs, isWhole, options.onProgress);
    checkCounters(superblock, survey, pass, blobs, findings);
    const { dataBytes, inoMax } = pass;
    return {
      superblock,
      findings,
      log,
      survey,
      dataBytes,
      inoMax,
      blobMax: blobs.blobMax,
      stringsEnd: checkedEnd(store.strings, findings),
      packsEnd: checkedEnd(store.packs, findings),
      readFailures: store.pages.failures + store.strings.failures + store.packs.failures + blobs.failures,
    };
  } finally {
    store.close();
  }
}

/** The end of an arena: that of the superblock if it can be right, otherwise one after all that there is. */
function checkedEnd(arena: ArenaReader, findings: Findings): number {
  const problem = arena.endProblem();
  if (problem === undefined) return arena.end;
  findings.error('counter', `${arena.recordName}s`, problem, 'new ones might be written over others');
  return arena.endAfterAll();
}

/** A crash while a superblock is written leaves a torn slot, which the next mount writes anew. */
function checkSlots(disk: Disk, chosen: Superblock, findings: Findings): void {
  readSlots(disk).forEach((slot, index) => {
    const where = `superblock slot ${index}`;
    if (slot.kind === 'valid') {
      if (slot.superblock.sequence % 2 !== index) findings.error('superblock-slot', where, 'in the wrong place');
      else if (slot.superblock.uuid !== chosen.uuid) findings.error('superblock-slot', where, 'of another store');
      return;
    }
    // A store that was just made has written one slot only.
    if (slot.kind === 'newer' || (chosen.sequence === 1 && index === 0 && isEmptySlot(slot.reason))) return;
    const effect = 'the other slot is used; should that be lost too, so is the store';
    if (chosen.clean) findings.error('superblock-slot', where, slot.reason, effect);
    else findings.note('superblock-slot', where, slot.reason, 'a crash may leave that; the next mount writes it anew');
  });
}

const isEmptySlot = (reason: string): boolean => reason === 'no magic';

function checkFiles(disk: Disk, findings: Findings): void {
  for (const name of [BLOBS_DIRECTORY, PACKS_DIRECTORY, LOG_DIRECTORY]) {
    if (!disk.exists(name)) findings.error('file', name, 'the directory is missing', 'the store cannot be used');
  }
}

async function passOver(survey: Survey, pass: InodePass, progress: ProgressListener): Promise<void> {
  const page = new Page();
  for (let index = 0; index < survey.leaves.length; index++) {
    if (survey.leaves.read(index, page)) pass.leaf(page);
    if (index % 16 === 0) {
      progress('files', index, survey.leaves.length);
      await pause();
    }
  }
  pass.finish();
}

/** Orphans, dead blobs and live bytes of segments: what the volume keeps in the tree for itself. */
function checkVolumeItems(store: StoreUnderCheck, survey: Survey, pass: InodePass, findings: Findings): void {
  if (survey.lost.length > 0) return;
  for (const ino of survey.orphans) {
    if (survey.table.find(ino) < 0)
      findings.error('orphan', `inode ${ino}`, 'listed as a file without a name, but it does not exist');
  }
  for (const minor of new Set([...survey.segments.keys(), ...pass.live.keys()])) {
    const [stored, counted] = [survey.segments.get(minor) ?? 0, pass.live.get(minor) ?? 0];
    if (stored === counted) continue;
    const reader = Math.floor(minor / WORD) === ARENA_STRINGS ? store.strings : store.packs;
    const effect = stored < counted ? 'it might be deleted while in use' : 'its space is not used again';
    const where = `${reader.recordName} segment ${minor % WORD}`;
    // Damaged records are not counted: the difference is theirs.
    if (hasDamagedRecords(findings)) continue;
    findings.error('live-bytes', where, `counts ${stored} bytes in use, has ${counted}`, effect);
  }
}

const hasDamagedRecords = (findings: Findings): boolean =>
  (['name', 'xattr', 'symlink', 'extent', 'item'] as const).some((code) => findings.has(code));

function checkCounters(
  superblock: Superblock,
  survey: Survey,
  pass: InodePass,
  blobs: BlobCheck,
  findings: Findings,
): void {
  const { table } = survey;
  const counter = (problem: string, effect = ''): void => findings.error('counter', 'superblock', problem, effect);
  if (survey.lost.length === 0) {
    if (table.find(ROOT_INO) < 0)
      findings.error('root', `inode ${ROOT_INO}`, 'the root directory is missing', 'the store cannot be used');
    if (superblock.inodes !== table.length) counter(`counts ${superblock.inodes} inodes, there are ${table.length}`);
    // Sums beyond 2^53 are not exact, whoever counts.
    if (superblock.dataBytes !== pass.dataBytes && pass.dataBytes <= Number.MAX_SAFE_INTEGER)
      counter(`counts ${superblock.dataBytes} bytes of data, files have ${pass.dataBytes}`);
  }
  if (superblock.nextIno <= pass.inoMax)
    counter(`next inode is ${superblock.nextIno}, but inode ${pass.inoMax} exists`, 'new files would overwrite others');
  if (superblock.nextBlob <= blobs.blobMax)
    counter(
      `next blob is ${superblock.nextBlob}, but blob ${blobs.blobMax} exists`,
      'new files would overwrite others',
    );
}
