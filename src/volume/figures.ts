/**
 * What there is in a store, in figures.
 */
import type { Log } from '../wal/log.js';
import type { StoreStatus } from './options.js';
import type { StoreState } from './state.js';

export function figuresOf(
  { pages, strings, packs, volumes }: StoreState,
  log: Log,
): Pick<StoreStatus, 'inodes' | 'dataBytes' | 'bytes' | 'epoch' | 'lsn'> {
  return {
    inodes: volumes.reduce((sum, { dataset }) => sum + dataset.inodes, 0),
    dataBytes: volumes.reduce((sum, { dataset }) => sum + dataset.dataBytes, 0),
    bytes: {
      nodes: pages.file.byteLength,
      strings: strings.arena.byteLength,
      packs: packs.arena.byteLength,
      log: log.byteLength,
    },
    epoch: pages.epoch,
    lsn: log.tail,
  };
}
