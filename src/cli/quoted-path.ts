/**
 * Paths on a terminal: as they are, or in double quotes with escapes, as git shows them, when they have bytes that would do
 * something else than show a name. Letters of all languages are left as they are.
 */
import type { PathReport } from '../mount/commands/diff.js';

const ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

const octal = (byte: number): string => `\\${byte.toString(8).padStart(3, '0')}`;

/** A path with something before it, quoted if need be. */
export function quotedPath({ text, base64 }: PathReport, prefix = ''): string {
  if (base64 !== undefined) {
    const bytes = [...Buffer.from(base64, 'base64')];
    const shown = bytes.map(
      (byte) => ESCAPES[byte] ?? (byte < 32 || byte >= 127 ? octal(byte) : String.fromCharCode(byte)),
    );
    return `"${prefix}${shown.join('')}"`;
  }
  const shown = [...text].map((letter) => {
    const code = letter.codePointAt(0) ?? 0;
    if (ESCAPES[code] !== undefined) return ESCAPES[code];
    if (code >= 32 && code !== 127 && !(code >= 0x80 && code < 0xa0)) return letter;
    return [...Buffer.from(letter)].map(octal).join('');
  });
  const quoted = shown.join('');
  return quoted === text ? `${prefix}${text}` : `"${prefix}${quoted}"`;
}
