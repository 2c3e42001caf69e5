/**
 * What a mount meets once in its life happens before anything is counted or timed: first of all, that the kernel asks for opens and
 * directory opens only until it is told that they are not needed.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Makes, reads, lists and removes a file. For a mount that another process serves. */
export function warmUp(directory: string): void {
  const place = path.join(directory, 'warm-up');
  mkdirSync(place);
  writeFileSync(path.join(place, 'file'), 'text');
  readFileSync(path.join(place, 'file'));
  readdirSync(place);
  rmSync(place, { recursive: true });
}
