/**
 * pjdfstest: what each system call on files must do and refuse. `--pjdfstest` names the directory in which it was built.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { runToEnd } from '../program.js';
import { type Count, installed, type Suite } from '../suite.js';

/** Reads prove's summary: a line for each file with failures, and the number of all tests. */
function countOf(output: string, code: number | null): Count {
  const tests = Number(/^Files=\d+, Tests=(\d+)/m.exec(output)?.[1] ?? 0);
  const failures: string[] = [];
  for (const [, file, failed] of output.matchAll(/^(\S+\.t)\s+\(Wstat: .*Failed: (\d+)\)/gm)) {
    for (let number = 0; number < Number(failed); number++) failures.push(file!);
  }
  if (failures.length === 0 && (code !== 0 || tests === 0)) failures.push(`prove ended with exit code ${code}`);
  return { tests, failures };
}

export const pjdfstest: Suite = {
  name: 'pjdfstest',
  about: 'system calls',
  missing(tools) {
    if (tools.pjdfstest === undefined) return 'name the directory where you built it with --pjdfstest DIR';
    if (!existsSync(path.join(tools.pjdfstest, 'tests'))) return `there are no tests in ${tools.pjdfstest}`;
    return installed('prove', 'perl');
  },
  tests: (tools) =>
    new Map([
      [
        'tests',
        async ({ directory }) => {
          const words = ['prove', '-rQ', path.resolve(tools.pjdfstest!, 'tests')];
          const { code, stdout } = await runToEnd(words, { cwd: directory });
          return countOf(stdout, code);
        },
      ],
    ]),
};
