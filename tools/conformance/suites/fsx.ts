/**
 * fsx of xfstests: random operations on one file (reads, writes, maps, truncation, holes, copies), each read compared with what
 * must be there. `--fsx` names the program. A mode is a test.
 */
import path from 'node:path';
import { runProgram } from '../program.js';
import type { Suite } from '../suite.js';

/** By name: the words for fsx. Seeds are fixed, so that a failure can be repeated. */
const MODES: ReadonlyMap<string, readonly string[]> = new Map([
  ['everything', ['-N', '100000', '-S', '11']],
  ['small files', ['-N', '30000', '-S', '12', '-l', '60000', '-o', '9000']],
  ['closed and opened, dirty ends of pages', ['-N', '30000', '-S', '13', '-c', '10', '-e', '1']],
  ['flushed and dropped, fsynced', ['-N', '20000', '-S', '14', '-f', '-y']],
  ['O_DIRECT', ['-N', '30000', '-S', '15', '-Z', '-R', '-W', '-r', '4096', '-w', '4096', '-t', '4096']],
  ['asynchronous', ['-N', '20000', '-S', '16', '-A']],
  ['compared after each operation', ['-N', '20000', '-S', '17', '-X', '-l', '30000', '-o', '5000']],
]);

export const fsx: Suite = {
  name: 'fsx',
  about: '250,000 random operations on one file',
  missing: (tools) => (tools.fsx === undefined ? 'name the program that you built with --fsx BIN' : undefined),
  tests: (tools) =>
    new Map(
      [...MODES].map(([name, words]) => [
        name,
        async ({ directory, scratch }) => {
          await runProgram([path.resolve(tools.fsx!), '-q', '-P', scratch, ...words, path.join(directory, 'file')]);
        },
      ]),
    ),
};
