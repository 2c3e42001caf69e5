/**
 * `npm test`: sets up what is missing, then the formatter and linter, then every compiled test file, and a summary whose last
 * line is `N passed, N failed`: tests (outermost `t.test`s, not assertions), and the linter as one. Exits with 1 when
 * anything failed.
 *
 *     npm test                  everything
 *     npm test -- PATTERN…      only test files whose path contains one of the words, without the linter
 *
 * It runs on a fresh clone: nothing outside Node itself is imported before the set-up. Each test file is a process of its own
 * (tap prints TAP when it is run by plain node), two at a time, each in a process group that is killed when the time is up.
 * A mount that a test leaves behind in the run's directory for temporary files is a failure of its own, and is taken down.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** Where this run's tests put their temporary files, stores and mount points: the disk of the checkout, not a tmpfs. */
const SCRATCH = path.join(ROOT, `build/test-run-${process.pid}`);
const JOBS = Math.max(1, Math.min(2, cpus().length));
/** Seconds that one test file may take, unless its first comment says otherwise: `@timeout 300`. */
const FILE_SECONDS_MAX = 120;
/** Lines of a failing file's error output that are shown: more than Node leaves behind when it runs out of memory. */
const ERROR_LINES_SHOWN = 80;

const patterns = process.argv.slice(2);
const failures = [];
const total = { passed: 0, failed: 0, skipped: 0 };

function setUp() {
  const built = spawnSync(process.execPath, ['tools/build.mjs', '--dev'], { cwd: ROOT, stdio: 'inherit' });
  if (built.status !== 0) {
    console.log('The set-up failed, so no test was run.');
    console.log('0 passed, 1 failed');
    process.exit(1);
  }
}

function lint() {
  const started = Date.now();
  const run = spawnSync('node_modules/.bin/biome', ['check', '--colors=off', '.'], { cwd: ROOT, encoding: 'utf8' });
  report('lint', { passed: run.status === 0 ? 1 : 0, failed: run.status === 0 ? 0 : 1, skipped: 0 }, started);
  if (run.status !== 0) {
    show(`${run.stdout ?? ''}${run.stderr ?? ''}`, 60);
    failures.push('lint: `npm run format` mends most of it');
  }
}

/** The compiled tests whose source still exists: build/ may hold those of files that were renamed or deleted. */
function testFiles() {
  const base = path.join(ROOT, 'build/test');
  if (!existsSync(base)) {
    return [];
  }
  return readdirSync(base, { recursive: true })
    .filter((name) => name.endsWith('.test.js') && existsSync(path.join(ROOT, 'test', name.replace(/\.js$/, '.ts'))))
    .filter((name) => patterns.length === 0 || patterns.some((word) => `test/${name}`.includes(word)))
    .sort();
}

function show(text, linesMax) {
  const lines = text.trimEnd().split('\n');
  const left = lines.length - linesMax;
  for (const line of lines.slice(Math.max(0, left))) {
    console.log(`    ${line}`);
  }
}

function report(name, count, started, note = '') {
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const mark = count.failed > 0 ? 'FAILED' : 'ok';
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  console.log(`${mark.padEnd(6)} ${name}  ${count.passed} passed${skipped}, ${seconds} s${note}`);
}

/** How long a test file may take, in seconds. */
function secondsMax(name) {
  const source = readFileSync(path.join(ROOT, 'test', name.replace(/\.js$/, '.ts')), 'utf8');
  const comment = source.slice(0, source.indexOf('*/'));
  return Number(/@timeout (\d+)/.exec(comment)?.[1] ?? FILE_SECONDS_MAX);
}

async function runFile(name, Parser) {
  const started = Date.now();
  const count = { passed: 0, failed: 0, skipped: 0 };
  const messages = [];
  let errorOutput = '';
  let timedOut = false;
  const seconds = secondsMax(name);
  const child = spawn(process.execPath, ['--enable-source-maps', path.join(ROOT, 'build/test', name)], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP: '1', TAP_BAIL: '0', TAP_TIMEOUT: String(seconds), TMPDIR: SCRATCH },
  });
  const timer = setTimeout(() => {
    timedOut = true;
    process.kill(-child.pid, 'SIGKILL');
  }, seconds * 1000);
  const parser = new Parser();
  const parsed = new Promise((resolve) => parser.on('complete', resolve));
  watchPoints(parser, count, messages);
  child.stdout.pipe(parser);
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk) => {
    errorOutput = (errorOutput + chunk).slice(-65536);
  });
  // `exit`, not `close`: a process that the test has left behind may hold the pipes for ever.
  const [code, signal] = await new Promise((resolve) => child.on('exit', (...end) => resolve(end)));
  clearTimeout(timer);
  await Promise.race([parsed, new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
  if (timedOut) {
    messages.push({ name: `not finished after ${seconds} s` });
  } else if (code !== 0 && count.failed === 0) {
    messages.push({ name: `ended with ${signal ?? `exit code ${code}`}` });
  } else if (count.passed + count.failed + count.skipped === 0) {
    messages.push({ name: 'ran no test' });
  }
  if (messages.length > 0 && count.failed === 0) {
    count.failed = 1;
  }
  report(`test/${name.replace(/\.js$/, '')}`, count, started);
  for (const message of messages) {
    failures.push(`test/${name.replace(/\.js$/, '')}: ${message.name}`);
    console.log(`    not ok: ${message.name}`);
    if (message.details) {
      show(message.details, ERROR_LINES_SHOWN);
    }
  }
  if (count.failed > 0 && errorOutput !== '') {
    show(errorOutput, ERROR_LINES_SHOWN);
  }
}

/** Counts the tests (points of the outermost level), and keeps each failed assertion at whatever depth it is. */
function watchPoints(parser, count, messages) {
  parser.on('assert', (result) => {
    if (result.skip || result.todo) {
      count.skipped++;
    } else if (result.ok) {
      count.passed++;
    } else {
      count.failed++;
    }
  });
  parser.on('fail', (result) => {
    const details = Object.entries(result.diag ?? {}).map(([name, value]) =>
      typeof value === 'string'
        ? `${name}:\n${value.trimEnd().replace(/^/gm, '  ')}`
        : `${name}: ${JSON.stringify(value)}`,
    );
    messages.push({ name: result.fullname, details: details.join('\n') });
  });
}

/** Mount points of RazorFS in this run's directory. */
function mountsLeft() {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .filter((line) => / - fuse\.razorfs/.test(line))
    .map((line) => line.split(' ')[4].replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8))))
    .filter((mountPoint) => mountPoint.startsWith(`${SCRATCH}/`));
}

function takeDownMountsLeft() {
  for (const mountPoint of mountsLeft()) {
    const how = process.getuid() === 0 ? ['umount', ['-l', mountPoint]] : ['fusermount3', ['-u', '-z', mountPoint]];
    const taken = spawnSync(...how).status === 0 ? 'it was taken down' : 'it could not be taken down';
    failures.push(`a test left a mount behind at ${mountPoint}; ${taken}`);
    total.failed++;
  }
}

setUp();
mkdirSync(SCRATCH, { recursive: true });
const { Parser } = await import('tap-parser');
const started = Date.now();
const files = testFiles();
if (patterns.length === 0) {
  lint();
}
if (files.length === 0) {
  failures.push(`no test file has ${patterns.join(' or ') || '.test.ts'} in its path`);
  total.failed++;
}
const queue = [...files];
await Promise.all(
  Array.from({ length: JOBS }, async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      await runFile(name, Parser);
    }
  }),
);
takeDownMountsLeft();
rmSync(SCRATCH, { recursive: true, force: true, maxRetries: 3 });

console.log('');
for (const failure of failures) {
  console.log(`not ok: ${failure}`);
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${files.length} test files, ${((Date.now() - started) / 1000).toFixed(0)} s${skipped}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 ? 1 : 0);
