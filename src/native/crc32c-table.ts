/**
 * CRC-32C (RFC 3720, appendix B.4) in JavaScript, for inputs so short that calling the addon would cost more.
 *
 * Four bytes a step ("slicing by four": Kounavis and Berry, "A Systematic Approach to Building High Performance
 * Software-Based CRC Generators", 2005).
 */

/** The reflected polynomial. */
const POLYNOMIAL = 0x82f63b78;

/** `tables[n][byte]` is the register after `byte` and `n` zero bytes. */
const makeTables = (): [Uint32Array, Uint32Array, Uint32Array, Uint32Array] => {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    first[byte] = value;
  }
  const next = (table: Uint32Array): Uint32Array => table.map((value) => first[value & 0xff] ^ (value >>> 8));
  const second = next(first);
  const third = next(second);
  return [first, second, third, next(third)];
};

const [ONE, TWO, THREE, FOUR] = makeTables();

/** The CRC-32C of `length` bytes at `offset`, going on from `seed`, the checksum of the bytes before. */
export const crc32cByTable = (bytes: Uint8Array, offset: number, length: number, seed: number): number => {
  let value = ~seed;
  let at = offset;
  const end = offset + length;
  for (; at + 4 <= end; at += 4) {
    value ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    value = FOUR[value & 0xff] ^ THREE[(value >>> 8) & 0xff] ^ TWO[(value >>> 16) & 0xff] ^ ONE[value >>> 24];
  }
  for (; at < end; at++) value = ONE[(value ^ bytes[at]) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
};
