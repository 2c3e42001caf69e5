/**
 * Values of options, checked as they are read from the command line.
 */
import { InvalidArgumentError } from 'commander';
import { LABEL_BYTES_MAX } from '../store/superblock.js';
import { parseSize } from '../volume/sizes.js';
import { parseDuration } from './quantities.js';

/** An option that may be given several times: all its values, in order. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** A commit interval in milliseconds. */
export function commitInterval(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) {
    throw new InvalidArgumentError('It is a time such as 500ms, 5s or 1m, up to a day.');
  }
  return milliseconds;
}

/** A rate in bytes a second; 0 is no limit, and becomes the largest number, since JSON knows no infinity. */
export function bytesPerSecond(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) {
    throw new InvalidArgumentError('It is a number of bytes such as 500K, 64M or 1G, or 0 for no limit.');
  }
  return bytes === 0 ? Number.MAX_SAFE_INTEGER : bytes;
}

/** A store's label. */
export function label(text: string): string {
  if (Buffer.byteLength(text) > LABEL_BYTES_MAX) {
    throw new InvalidArgumentError(`A label has at most ${LABEL_BYTES_MAX} bytes.`);
  }
  if (/\p{Cc}/u.test(text)) {
    throw new InvalidArgumentError('A label has no control characters.');
  }
  return text;
}
