/** What a comparison shows: changed lines as patch(1) takes them, and sizes. */
import t from 'tap';
import { DiffStat, patchOf } from '../../src/cli/diff-lines.js';
import type { ChangeReport, FileReport } from '../../src/mount/commands/diff.js';

const FILE: FileReport = { type: 'file', ino: 2, mode: 0o644, uid: 0, gid: 0, links: 1, size: 1, mtime: '0' };
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');

const modified = (name: string, before: string, after: string): ChangeReport => ({
  change: 'modified',
  path: { text: name },
  aspects: ['data'],
  before: FILE,
  after: FILE,
  texts: { before: base64(before), after: base64(after) },
});

t.test('lines of a file that look like the names of files stay as they are', async (t) => {
  const patch = patchOf(modified('queries.sql', 'one\n-- two\t\n', 'one\n++ two\t\n'));
  t.equal(patch, '--- a/queries.sql\n+++ b/queries.sql\n@@ -1,2 +1,2 @@\n one\n--- two\t\n+++ two\t\n');
});

t.test('a tab ends a name with spaces', async (t) => {
  const patch = patchOf(modified('my $& text', 'one\n', 'two\n'));
  t.equal(patch, '--- a/my $& text\t\n+++ b/my $& text\t\n@@ -1,1 +1,1 @@\n-one\n+two\n');
});

t.test('a file counts once, however many names came or went', async (t) => {
  const stat = new DiffStat();
  const file = (ino: number, size: number): FileReport => ({ ...FILE, ino, size, links: 2 });
  const change = { path: { text: '' }, aspects: [] };
  for (let name = 0; name < 2; name++) {
    stat.add({ ...change, change: 'added', before: undefined, after: file(5, 100) });
    stat.add({ ...change, change: 'removed', before: file(6, 30), after: undefined });
    stat.add({ ...change, change: 'linked', before: file(7, 1000), after: file(7, 1000) });
  }
  t.equal(stat.growth, 70);
  t.strictSame([stat.counts.added, stat.counts.removed], [2, 2], 'names are counted');
});
