/** `npm run kill` in miniature: what it kills, it kills, and nothing is lost. */
import path from 'node:path';
import t from 'tap';
import { ROOT, run } from '../cli/program.js';

const KILL = path.join(ROOT, 'build/tools/kill-harness.js');

/** Runs it with work for which nothing needs to be installed. */
const kill = (...words: string[]) => run(process.execPath, [KILL, '--work', 'tar,writers', ...words]);

t.test('the serving process', async (t) => {
  const { code, stdout, stderr } = await kill('--target', 'worker', '--rounds', '3', '--seconds', '0.3');
  t.equal(code, 0, `${stdout}${stderr}`);
  const [, rounds] = /^3 kills of the serving process; (\d+) rounds of changes/m.exec(stdout) ?? [];
  t.ok(Number(rounds) > 0, 'programs worked meanwhile');
  t.match(stdout, /^0 failures$/m);
});

t.test('everything', async (t) => {
  const { code, stdout, stderr } = await kill('--target', 'everything', '--rounds', '1', '--seconds', '0.3');
  t.equal(code, 0, `${stdout}${stderr}`);
  t.match(stdout, /^round 1: \d+ operations of writers; finished: tar \d+; \d+ replayed in/m);
  t.match(stdout, /^1 rounds, nothing lost$/m);
});

t.test('work that there is not', async (t) => {
  t.match(await run(process.execPath, [KILL, '--work', 'none']), { code: 2, stderr: /Unknown work: none/ });
});
