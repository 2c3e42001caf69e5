/**
 * What a store needs before it can be served: its items in memory, its log applied, and a catalog if it has none.
 */
import { CorruptionError } from '../errors/corruption.js';
import { FORMAT_WITHOUT_CATALOG, type Superblock } from '../store/superblock.js';
import { MAIN_VOLUME } from '../store/units.js';
import type { Log } from '../wal/log.js';
import { PAGES_PER_OPERATION } from './apply/applier.js';
import type { StoreApplier } from './apply/store-applier.js';
import type { Bookkeeping } from './bookkeeping.js';
import { loadOrphans } from './orphans.js';
import { type ReplayResult, replay } from './recovery.js';
import type { StoreState } from './state.js';

/** Pages of nodes.dat for which a catalog taken from a store of format 1 may have an item, at the most. */
const PAGES_PER_CATALOG_PAGE = 1024;

/** `bootId`: of this host, 32 hexadecimal digits. Throws CorruptionError, DiskError. */
export function bringUpToDate(
  superblock: Superblock,
  state: StoreState,
  applier: StoreApplier,
  log: Log,
  bookkeeping: Bookkeeping,
  bootId: string,
): ReplayResult & { readonly powerLoss: boolean } {
  if (superblock.version === FORMAT_WITHOUT_CATALOG) addCatalog(state, bookkeeping);
  else bookkeeping.load();
  const { clean, lsn } = superblock;
  const powerLoss = !clean && superblock.bootId !== bootId;
  checkWhatIsFound(superblock, state, log, powerLoss);
  const replayed = clean ? { operations: 0, filesClamped: 0, end: lsn } : replay(state, applier, log, lsn, powerLoss);
  log.checkNothingFollows(replayed.end, powerLoss);
  return { ...replayed, powerLoss };
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
