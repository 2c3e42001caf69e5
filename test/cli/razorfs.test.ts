/**
 * The command line: help, usage errors, exit codes, and the shape of errors for programs.
 */
import path from 'node:path';
import t from 'tap';
import { EXIT, exitCodeHelp, exitCodeOf } from '../../src/cli/exit-codes.js';
import { StoreError } from '../../src/errors/store-error.js';
import { FuseError } from '../../src/fuse/fuse-error.js';
import { MountError } from '../../src/mount/mount-error.js';
import { ROOT, razorfs, run } from './program.js';

t.test('without words it explains itself and fails', async (t) => {
  const { code, stderr } = await razorfs([]);
  t.equal(code, EXIT.usage);
  t.match(stderr, 'Usage: razorfs');
});

t.test('--help teaches, with examples and exit codes', async (t) => {
  const { code, stdout } = await razorfs(['--help']);
  t.equal(code, EXIT.success);
  t.match(stdout, 'razorfs umount /mnt/point');
  t.match(stdout, exitCodeHelp());
  for (const command of ['mount', 'umount', 'status', 'mkfs']) {
    const help = await razorfs([command, '--help']);
    t.equal(help.code, EXIT.success);
    t.match(help.stdout, `razorfs ${command}`);
    t.match(help.stdout, 'Examples:');
    t.match(help.stdout, '--json');
  }
});

t.test('what nobody reads any more ends quietly, whatever the command', async (t) => {
  for (const command of ['razorfs', 'razorfsck']) {
    // Nothing reads the pipe: it is closed before the program writes.
    const program = path.join(ROOT, `build/src/cli/${command}.js`);
    const script = 'exec 3>&1; { "$0" "$1" --help; echo "code $?" >&3; } | true';
    const { stdout, stderr } = await run('bash', ['-c', script, process.execPath, program]);
    t.equal(stderr, '', command);
    t.match(stdout, /^code (0|141)$/m);
  }
});

t.test('output that cannot be written is told in words', async (t) => {
  const { code, stderr } = await run(
    'sh',
    ['-c', `"${process.execPath}" build/src/cli/razorfs.js --help > /dev/full`],
    {
      cwd: ROOT,
    },
  );
  t.equal(code, EXIT.failure);
  t.equal(stderr, 'Standard output cannot be written: ENOSPC.\n');
});

t.test('--version prints the version', async (t) => {
  const { code, stdout } = await razorfs(['--version']);
  t.equal(code, EXIT.success);
  t.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

t.test('what it does not understand is a usage error', async (t) => {
  const mistakes = [
    ['--no-such-option', '/mnt'],
    ['mount'],
    ['mount', '/mnt', '--durability', 'maybe'],
    ['mount', '/mnt', '--commit-interval', '5'],
    ['mount', '/mnt', '--label', 'x'.repeat(65)],
    ['mount', '/mnt', 'one-too-many'],
    ['mkfs'],
    ['umount'],
  ];
  for (const words of mistakes) {
    const { code, stdout, stderr } = await razorfs(words);
    t.equal(code, EXIT.usage, words.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /^razorfs: \S/);
  }
});

t.test('a mistyped command is not taken for a directory', async (t) => {
  const { code, stderr } = await razorfs(['statsu'], { cwd: t.testdir() });
  t.equal(code, EXIT.mountPoint);
  t.match(stderr, 'neither a command nor a directory of the name "statsu"');
});

t.test('errors are JSON for those who asked for it', async (t) => {
  const directory = t.testdir();
  const { code, stdout, stderr } = await razorfs(['umount', '--json', directory]);
  t.equal(code, EXIT.notMounted);
  t.equal(stderr, '');
  t.match(JSON.parse(stdout), { error: { code: 'not-mounted', message: String, advice: String } });
});

t.test('the exit code follows the kind of refusal, also of one that crossed a process boundary', async (t) => {
  t.equal(exitCodeOf(new StoreError('not-empty', ''), 'not-empty'), EXIT.store);
  t.equal(exitCodeOf(new FuseError('not-empty', ''), 'not-empty'), EXIT.mountPoint);
  t.equal(exitCodeOf(new MountError('busy', ''), 'busy'), EXIT.inUse);
  const crossed = new Error('');
  crossed.name = 'FuseError';
  t.equal(exitCodeOf(crossed, 'no-fuse'), EXIT.fuse);
  t.equal(exitCodeOf(new Error(''), 'ENOENT'), EXIT.failure);
});
