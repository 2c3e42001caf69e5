/**
 * The daemon's log: human lines, the bound on its size, and a place that cannot be written.
 */
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { humanLine, openLog } from '../../src/mount/log.js';
import { LogFile } from '../../src/mount/log-file.js';

t.test('writes JSON to the file and a sentence to the terminal', async (t) => {
  const file = new LogFile(path.join(t.testdir(), 'razorfs.log'));
  const seen: string[] = [];
  const log = openLog(file, (line) => seen.push(line));
  log.warn({ store: '/s', err: new Error('boom'), count: 3 }, 'something happened');
  log.info('and went on');
  file.close();
  const [first] = readFileSync(file.path, 'utf8').split('\n');
  t.match(JSON.parse(first!), { level: 40, msg: 'something happened', store: '/s', err: { message: 'boom' } });
  t.match(seen[0], /^\d\d:\d\d:\d\d warning: something happened \(store \/s, boom, count 3\)\n$/);
  t.match(seen[1], /^\d\d:\d\d:\d\d and went on\n$/);
});

t.test('shows what is not a plain value', async (t) => {
  t.match(humanLine('{"level":30,"time":0,"msg":"m","list":[1,2]}'), /m \(list \[1,2\]\)/);
});

t.test('takes at most twice its bound', async (t) => {
  const file = new LogFile(path.join(t.testdir(), 'razorfs.log'), 1000);
  for (let line = 0; line < 100; line++) {
    file.write(`${'x'.repeat(99)}\n`);
  }
  file.close();
  t.equal(statSync(`${file.path}.1`).size, 1000);
  t.throws(() => statSync(file.path), 'the last line ended one file, and no other has been begun');
});

t.test('goes on counting its size in a file that was there', async (t) => {
  const directory = t.testdir({ 'razorfs.log': 'y'.repeat(950) });
  const file = new LogFile(path.join(directory, 'razorfs.log'), 1000);
  file.write(`${'x'.repeat(99)}\n`);
  t.equal(statSync(`${file.path}.1`).size, 1050);
});

t.test('drops lines that cannot be written, and says so later', async (t) => {
  const directory = path.join(t.testdir(), 'gone');
  const file = new LogFile(path.join(directory, 'razorfs.log'));
  file.write('lost\n');
  file.write('lost\n');
  mkdirSync(directory);
  file.write('kept\n');
  file.close();
  const [notice, line] = readFileSync(file.path, 'utf8').split('\n');
  t.match(JSON.parse(notice!), { level: 40, lines: 2 });
  t.equal(line, 'kept');
  rmSync(directory, { recursive: true });
});
