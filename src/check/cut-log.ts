/**
 * Cuts a damaged log off after the operations that can be applied, which the next mount then does: what it would come upon beyond
 * them goes. The originals are in the backup of the repair. A cut that is cut short itself is done again by the next repair.
 */
import type { Disk } from '../store/disk.js';
import type { Superblock } from '../store/superblock.js';
import { LOG_DIRECTORY } from '../wal/log.js';
import { LOG_SEGMENT_HEADER_BYTES } from '../wal/segment.js';
import type { LogSummary } from './log.js';

export function cutLog(disk: Disk, { geometry }: Superblock, { end, files }: LogSummary): void {
  const needed = new Set(files.values());
  for (const name of disk.list(LOG_DIRECTORY)) if (!needed.has(name)) disk.remove(`${LOG_DIRECTORY}/${name}`);
  disk.syncDirectory(LOG_DIRECTORY);
  const dataBytes = geometry.logSegmentBytes - LOG_SEGMENT_HEADER_BYTES;
  const last = files.get(Math.floor(end / dataBytes));
  if (last === undefined) return;
  const file = disk.open(`${LOG_DIRECTORY}/${last}`, 'write');
  try {
    const within = end % dataBytes;
    const zeros = new Uint8Array(dataBytes - within);
    file.write(zeros, 0, zeros.length, LOG_SEGMENT_HEADER_BYTES + within);
    file.syncNow();
  } finally {
    file.close();
  }
}
