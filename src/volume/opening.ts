/**
 * What a store needs before it can be served: its items in memory, its log applied, a catalog if it has none, and a new log.
 */
import { CorruptionError } from '../errors/corruption.js';
import { FORMAT_WITHOUT_CATALOG, type Superblock } from '../store/superblock.js';
import { type Lsn, MAIN_VOLUME } from '../store/units.js';
import type { Log } from '../wal/log.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import type { StoreApplier } from './apply/store-applier.js';
import type { Bookkeeping } from './bookkeeping.js';
import type { Checkpointer } from './checkpoint.js';
import { isLackOfSpace } from './maintenance.js';
import type { RecoveryReport, StoreOptions } from './options.js';
import { loadOrphans } from './orphans.js';
import { type ReplayResult, replay } from './recovery.js';
import type { StoreState } from './state.js';

/** Pages of nodes.dat for which a catalog taken from a store of format 1 may have an item, at the most. */
const PAGES_PER_CATALOG_PAGE = 1024;

/**
 * `bootId`: of this host, 32 hexadecimal digits. `logEnd`: see StoreOptions. Throws UnappliedChange, CorruptionError, DiskError.
 */
export function bringUpToDate(
  superblock: Superblock,
  state: StoreState,
  applier: StoreApplier,
  log: Log,
  bookkeeping: Bookkeeping,
  { bootId, logEnd }: Pick<StoreOptions, 'bootId' | 'logEnd'>,
): ReplayResult & Pick<RecoveryReport, 'powerLoss' | 'givenUp'> {
  if (superblock.version === FORMAT_WITHOUT_CATALOG) addCatalog(state, bookkeeping);
  else bookkeeping.load();
  const { clean, lsn } = superblock;
  const powerLoss = !clean && superblock.bootId !== bootId;
  checkWhatIsFound(superblock, state, log, powerLoss);
  const replayed = clean
    ? { operationsReplayed: 0, filesClamped: 0, end: lsn }
    : replay(state, applier, log, lsn, logEnd?.lsn ?? Number.POSITIVE_INFINITY, powerLoss);
  log.checkNothingFollows(replayed.end, powerLoss);
  return { ...replayed, powerLoss, ...(logEnd === undefined ? {} : { givenUp: logEnd.reason }) };
}

/**
 * Begins a new stretch of a log that ends at `end`. What it has from `needed` on must stay until the next checkpoint; undefined where
 * nothing must. On a full disk the old log has the only space that there is for a new one: then what was recovered is made durable
 * first. Throws DiskError.
 */
export async function startLog(log: Log, checkpointer: Checkpointer, end: Lsn, needed: Lsn | undefined): Promise<void> {
  const lsn = log.firstUnusedLsn(end);
  try {
    log.startAt(lsn, needed ?? lsn);
  } catch (error) {
    if (!isLackOfSpace(error) || needed === undefined) throw error;
    // A clean one: it names the log that is yet to be begun, and nobody looks for that.
    await checkpointer.run(true);
    log.startAt(lsn, lsn);
  }
}

/** A store of format 1 gets the catalog that its state was opened with; the first checkpoint makes it a store of this format. */
function addCatalog(state: StoreState, bookkeeping: Bookkeeping): void {
  const { pages, catalog } = state;
  const main = state.volume(MAIN_VOLUME);
  pages.reserve(PAGES_PER_OPERATION + Math.ceil(pages.file.capacity / PAGES_PER_CATALOG_PAGE));
  loadOrphans(main);
  bookkeeping.takeFrom(main);
  catalog.add(main.dataset);
}

/**
 * Refuses a superblock that is not the last one written. When that is damaged, its predecessor takes its place; but what the
 * predecessor needs may have been used again, and then what was promised since would be missing without a word.
 */
function checkWhatIsFound(superblock: Superblock, state: StoreState, log: Log, powerLoss: boolean): void {
  const { lsn, clean, epoch, root } = superblock;
  log.checkNoDuplicates();
  if (!clean && !log.holds(lsn)) throw new CorruptionError('wal', `the log from LSN ${lsn} on is missing`);
  // A loss of power may cut off files that were not synced.
  log.checkWhole(clean || powerLoss ? Number.POSITIVE_INFINITY : lsn);
  const birth = state.pages.file.birth(root);
  if (birth > epoch)
    throw new CorruptionError(`page ${root}`, `made in epoch ${birth}, after the superblock's ${epoch}`);
}
