/**
 * The hash of a name: 47 bits, never 0, seeded by the store's uuid, so that nobody can prepare names that collide everywhere.
 *
 * A minor key is hash × 32 + turn, where the turn (0 to 31) tells apart names of one directory with the same hash.
 */
export const TURNS = 32;

/** Two lanes of multiply and xor over the bytes, mixed at the end as in MurmurHash3's finaliser. */
export class NameHash {
  readonly #seedLow: number;
  readonly #seedHigh: number;

  /** `uuid`: 32 hexadecimal digits. */
  constructor(uuid: string) {
    this.#seedLow = Number.parseInt(uuid.slice(0, 8), 16) | 0;
    this.#seedHigh = Number.parseInt(uuid.slice(8, 16), 16) | 0;
  }

  /** The minor key of turn 0: a multiple of 32, from 32 to below 2^52. */
  minor(name: Uint8Array): number {
    let low = this.#seedLow;
    let high = this.#seedHigh;
    for (let i = 0; i < name.length; i++) {
      low = Math.imul(low ^ name[i], 0x0100_0193);
      high = Math.imul(high + name[i], 0x85eb_ca6b) ^ (high >>> 13);
    }
    low = mix(low ^ name.length);
    high = mix(high ^ low);
    const hash = (high & 0x7fff) * 0x1_0000_0000 + (low >>> 0);
    return (hash === 0 ? 1 : hash) * TURNS;
  }
}

function mix(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
