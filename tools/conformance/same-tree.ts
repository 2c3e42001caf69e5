/**
 * Whether two trees are the same to everybody who looks: content, mode, owner, times, links and attributes.
 */
import path from 'node:path';
import { ROOT } from '../../test/cli/program.js';
import { runProgram } from './program.js';

const MANIFEST = path.join(ROOT, 'test/mounted/manifest.py');
const DIFFERENCES_SHOWN = 5;

async function manifest(directory: string): Promise<string[]> {
  return (await runProgram(['python3', '-B', MANIFEST, directory, '--portable'])).trimEnd().split('\n');
}

/** Throws with the first differences. */
export async function assertSameTree(original: string, copy: string): Promise<void> {
  const [before, after] = [await manifest(original), await manifest(copy)];
  const differences = [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ];
  if (differences.length > 0) {
    throw new Error(`${copy} differs from ${original}:\n${differences.slice(0, DIFFERENCES_SHOWN).join('\n')}`);
  }
}
