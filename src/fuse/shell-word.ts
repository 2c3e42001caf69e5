/**
 * Paths in command lines that a message offers, so that they can be pasted into a shell.
 */

/** `text` as one word of a shell, quoted only where it has to be. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
