/**
 * Running the programs of a suite: politely (nice), for a bounded time, and with the end of what they said when they fail.
 */
import { type Ended, type RunOptions, run } from '../../test/cli/program.js';

const SECONDS_MAX = 600;
const OUTPUT_SHOWN = 3000;

/** Runs a program to its end, whatever that is. */
export const runToEnd = (words: readonly string[], options: RunOptions = {}): Promise<Ended> =>
  run('nice', ['timeout', '--kill-after=10', String(SECONDS_MAX), ...words], options);

/** Runs a program, and throws with what it said when it fails. Returns what it wrote to standard output. */
export async function runProgram(words: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(words, options);
  if (code !== 0) {
    const said = `${stdout.slice(-OUTPUT_SHOWN)}${stderr.slice(-OUTPUT_SHOWN)}`;
    throw new Error(`${words.join(' ')} (exit code ${code}): ${said}`);
  }
  return stdout;
}

/** Runs a shell script, which stops at the first command that fails. */
export const runShell = (script: string, options: RunOptions = {}): Promise<string> =>
  runProgram(['sh', '-euc', script], options);
