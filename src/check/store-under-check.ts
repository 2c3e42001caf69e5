/**
 * What the parts of a check share: the store's disk and superblock, and readers for its pages, strings and packs.
 */
import { packSegmentName } from '../blobs/packs.js';
import type { Disk } from '../store/disk.js';
import type { Superblock } from '../store/superblock.js';
import { stringsSegmentName } from '../strings/string-table.js';
import { NameHash } from '../volume/name-hash.js';
import { ArenaReader } from './arena-reader.js';
import { PageReader } from './page-reader.js';

export class StoreUnderCheck {
  readonly disk: Disk;
  readonly superblock: Superblock;
  readonly pages: PageReader;
  readonly strings: ArenaReader;
  readonly packs: ArenaReader;
  readonly hash: NameHash;

  constructor(disk: Disk, superblock: Superblock) {
    const { geometry, stringsEnd, packsEnd, uuid } = superblock;
    const segmentBytes = geometry.arenaSegmentBytes;
    this.disk = disk;
    this.superblock = superblock;
    this.pages = new PageReader(disk, geometry.nodesSegmentBytes, superblock.nodesCapacity);
    this.strings = new ArenaReader(disk, stringsEnd, {
      recordName: 'string',
      segmentName: stringsSegmentName,
      segmentBytes,
    });
    this.packs = new ArenaReader(disk, packsEnd, {
      recordName: 'pack extent',
      segmentName: packSegmentName,
      segmentBytes,
    });
    this.hash = new NameHash(uuid);
  }

  close(): void {
    this.pages.close();
    this.strings.close();
    this.packs.close();
  }
}
