/**
 * What happens once in the life of a mount happens before anything is counted or timed: the kernel asks for opens until it is told
 * that they are not needed, and programs that are compiled while they run (RazorFS is one) are slow for their first thousands of
 * operations. A mount is there for days. All targets are warmed up alike.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { work } from './client.js';

const PAGES = 2048;
const CLIENTS = 4;

/** Uses a directory as it will be used, with so many files, and leaves nothing there. */
export async function warmUp(directory: string, files: number): Promise<void> {
  const place = path.join(directory, 'warm-up');
  mkdirSync(place);
  writeFileSync(path.join(place, 'file'), 'text');
  readFileSync(path.join(place, 'file'));
  readdirSync(place);
  rmSync(path.join(place, 'file'));
  if (files > 0) {
    for (const name of ['create', 'stat', 'read', 'list-stat', 'rename'] as const) await work(name, place, files);
    await work('unlink', place, files, { prefix: 'r' });
    await work('create-fsync', place, Math.ceil(files / 10));
    for (const name of ['write-large', 'read-large', 'random-read', 'random-write'] as const)
      await work(name, place, PAGES);
    await work('mixed', place, files, { clients: CLIENTS });
  }
  rmSync(place, { recursive: true });
}
