/**
 * CRC-32C against published vectors and a bit-by-bit reference, by table and by instruction, over every length and alignment
 * that takes another path.
 */
import t from 'tap';
import { crc32c, crc32cPages, isCrc32cPageValid } from '../../src/native/addon.js';
import { crc32cByTable } from '../../src/native/crc32c-table.js';

/** One bit at a time, straight from the definition. */
const reference = (bytes: Uint8Array): number => {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  }
  return ~value >>> 0;
};

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 131 + (i >> 7)) & 0xff);

t.test('published vectors', (t) => {
  const vectors: [string, Uint8Array, number][] = [
    ['check value', Buffer.from('123456789'), 0xe3069283],
    ['nothing', new Uint8Array(0), 0],
    // RFC 3720, appendix B.4
    ['32 zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 increasing', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ['32 decreasing', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ];
  for (const [name, bytes, expected] of vectors) {
    t.equal(crc32c(bytes, 0, bytes.length), expected, name);
    t.equal(crc32cByTable(bytes, 0, bytes.length, 0), expected, `${name}, by table`);
  }
  t.end();
});

t.test('every length to 600, and lengths around the strands, at each alignment', (t) => {
  const bytes = pattern(12_000);
  const lengths = [...Array(600).keys(), 1007, 1008, 1009, 4079, 4080, 4081, 4096, 8160, 8161, 9001];
  let wrong = 0;
  for (const length of lengths) {
    const offset = length % 9;
    const expected = reference(bytes.subarray(offset, offset + length));
    if (crc32c(bytes, offset, length) !== expected) wrong++;
    if (crc32cByTable(bytes, offset, length, 0) !== expected) wrong++;
  }
  t.equal(wrong, 0);
  t.end();
});

t.test('goes on from the checksum of the bytes before', (t) => {
  const bytes = pattern(5000);
  const whole = crc32c(bytes, 0, bytes.length);
  for (const cut of [0, 1, 63, 64, 65, 1000, 4999, 5000]) {
    t.equal(crc32c(bytes, cut, bytes.length - cut, crc32c(bytes, 0, cut)), whole, `cut at ${cut}`);
  }
  t.end();
});

t.test('works on a view into a larger buffer', (t) => {
  const bytes = pattern(1000);
  t.equal(crc32c(bytes.subarray(100), 10, 500), reference(bytes.subarray(110, 610)));
  t.end();
});

t.test('refuses a range outside of the array', (t) => {
  t.throws(() => crc32c(new Uint8Array(100), 50, 100), RangeError);
  t.throws(() => crc32c(new Uint8Array(100), -1, 100), RangeError);
  t.end();
});

t.test('pages: stores the checksum over the page with its own field as zeros', (t) => {
  for (const field of [0, 1, 8, 2000, 4092]) {
    const bytes = pattern(4 * 4096);
    const before = Uint8Array.from(bytes);
    t.equal(crc32cPages(bytes, Uint32Array.of(3, 1, 2), 2, field), 0);
    const page = bytes.subarray(3 * 4096);
    const stored = new DataView(page.buffer, page.byteOffset).getUint32(field, true);
    const blank = Uint8Array.from(before.subarray(3 * 4096));
    blank.fill(0, field, field + 4);
    t.equal(stored, reference(blank), `field at ${field}`);
    t.ok(isCrc32cPageValid(bytes, 3, field) && isCrc32cPageValid(bytes, 1, field));
    t.notOk(isCrc32cPageValid(bytes, 2, field), 'beyond count');
    t.same(bytes.subarray(0, 4096), before.subarray(0, 4096), 'other pages stay');
    t.same(bytes.subarray(2 * 4096, 3 * 4096), before.subarray(2 * 4096, 3 * 4096));
  }
  t.end();
});

t.test('pages: any changed bit is noticed', (t) => {
  const bytes = pattern(4096);
  crc32cPages(bytes, Uint32Array.of(0), 1, 4);
  let missed = 0;
  for (let bit = 0; bit < 4096 * 8; bit++) {
    bytes[bit >> 3] ^= 1 << (bit & 7);
    if (isCrc32cPageValid(bytes, 0, 4)) missed++;
    bytes[bit >> 3] ^= 1 << (bit & 7);
  }
  t.equal(missed, 0);
  t.ok(isCrc32cPageValid(bytes, 0, 4));
  t.end();
});

t.test('pages: nothing outside of the array is read or written', (t) => {
  const bytes = pattern(2 * 4096 + 100);
  const before = Uint8Array.from(bytes);
  t.ok(crc32cPages(bytes, Uint32Array.of(0, 2), 2, 0) < 0, 'a page that is cut off');
  t.ok(crc32cPages(bytes, Uint32Array.of(0, 0xffffffff), 2, 0) < 0);
  t.ok(crc32cPages(bytes, Uint32Array.of(0), 2, 0) < 0, 'count beyond the indexes');
  t.ok(crc32cPages(bytes, Uint32Array.of(0), 1, 4093) < 0, 'field beyond the page');
  t.same(bytes, before, 'all or nothing');
  t.notOk(isCrc32cPageValid(bytes, 2, 0));
  t.notOk(isCrc32cPageValid(bytes, -1, 0));
  t.notOk(isCrc32cPageValid(new Uint8Array(0), 0, 0));
  t.end();
});
