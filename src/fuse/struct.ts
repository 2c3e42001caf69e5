/**
 * Byte layouts of C structs, written down field by field as the kernel's header has them.
 *
 * Offsets follow from the order and size of the fields; the total is asserted against the size that the C compiler gives,
 * and so is natural alignment, when the module that declares a struct is loaded. The kernel and this process share byte
 * order and memory, so the machine must be little-endian, as all supported ones are.
 */
import { endianness } from 'node:os';

if (endianness() !== 'LE') {
  throw new Error('RazorFS runs on little-endian machines only');
}

/** Sizes of fields in bytes. */
export const u16 = 2;
export const u32 = 4;
export const u64 = 8;

/** The byte offset of each field, and the size of the whole in bytes. */
export type Layout<Field extends string> = { readonly [name in Field]: number } & { readonly sizeof: number };

/** Lays fields (name → size in bytes) out in order. `sizeof` is what the whole must come to. */
export function struct<Field extends string>(
  sizeof: number,
  fields: { readonly [name in Field]: number },
): Layout<Field> {
  const offsets: Record<string, number> = {};
  let offset = 0;
  for (const [name, size] of Object.entries<number>(fields)) {
    if (size === u16 || size === u32 || size === u64 ? offset % size !== 0 : offset % u16 !== 0) {
      throw new Error(`struct field ${name} would be misaligned at byte ${offset}`);
    }
    offsets[name] = offset;
    offset += size;
  }
  if (offset !== sizeof) {
    throw new Error(`a struct of ${sizeof} bytes was declared with fields of ${offset} bytes`);
  }
  offsets.sizeof = sizeof;
  return Object.freeze(offsets) as Layout<Field>;
}
