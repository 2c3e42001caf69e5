/**
 * fsstress of xfstests: several processes do random operations on a tree of files. It sees only errors that must not be;
 * whether the tree is sound is for razorfsck to say. `--fsstress` names the program.
 */
import path from 'node:path';
import { runProgram } from '../program.js';
import type { Suite, Test } from '../suite.js';

const PROCESSES = 4;
const OPERATIONS_OF_EACH = 10_000;
const SEEDS = [42, 43, 44];

const stress =
  (program: string, seed: number): Test =>
  async ({ directory }) => {
    const words = ['-d', directory, '-p', PROCESSES, '-n', OPERATIONS_OF_EACH, '-s', seed];
    await runProgram([path.resolve(program), ...words.map(String)]);
  };

export const fsstress: Suite = {
  name: 'fsstress',
  about: '120,000 random operations on a tree, 4 at a time',
  missing: (tools) =>
    tools.fsstress === undefined ? 'name the program that you built with --fsstress BIN' : undefined,
  tests: (tools) => new Map(SEEDS.map((seed) => [`seed ${seed}`, stress(tools.fsstress!, seed)])),
};
