/** Superblocks: what a slot must be like to count. */
import t from 'tap';
import { GEOMETRY_DEFAULT } from '../../src/store/geometry.js';
import { decodeSuperblock, encodeSuperblock, type Superblock } from '../../src/store/superblock.js';
import { asAddress, asBlobId, asDatasetId, asEpoch, asIno, asLsn, asPageNumber } from '../../src/store/units.js';

const SUPERBLOCK: Superblock = {
  uuid: '00112233445566778899aabbccddeeff',
  version: 2,
  label: 'a label',
  geometry: GEOMETRY_DEFAULT,
  sequence: 7,
  epoch: asEpoch(5),
  lsn: asLsn(4096),
  root: asPageNumber(9),
  nodesCapacity: 256,
  stringsEnd: asAddress(128),
  packsEnd: asAddress(4096),
  nextIno: asIno(12),
  nextBlob: asBlobId(3),
  inodes: 8,
  dataBytes: 12_345,
  nextDataset: asDatasetId(3),
  sharedRecords: 4,
  mountCount: 2,
  createdMs: 1_700_000_000_000,
  clean: true,
  bootId: 'ffeeddccbbaa99887766554433221100',
};

const kindOf = (fields: Partial<Superblock>): string =>
  decodeSuperblock(encodeSuperblock({ ...SUPERBLOCK, ...fields })).kind;

t.test('what is written is read back', async (t) => {
  t.strictSame(decodeSuperblock(encodeSuperblock(SUPERBLOCK)), { kind: 'valid', superblock: SUPERBLOCK });
});

t.test('numbers that cannot be are not believed', async (t) => {
  t.equal(kindOf({ stringsEnd: asAddress(Number.MAX_SAFE_INTEGER) }), 'invalid');
  t.equal(kindOf({ nextIno: asIno(Number.MAX_SAFE_INTEGER) }), 'invalid');
  t.equal(kindOf({ packsEnd: asAddress(257) }), 'invalid');
  t.equal(kindOf({ root: asPageNumber(256) }), 'invalid');
});

t.test('huge sparse files do not make a store unusable', async (t) => {
  t.equal(kindOf({ dataBytes: 3 * Number.MAX_SAFE_INTEGER }), 'valid');
});
