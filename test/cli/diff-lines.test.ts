/** Changed lines as patch(1) takes them: what looks like the lines that name the files, and names with spaces. */
import t from 'tap';
import { patchOf } from '../../src/cli/diff-lines.js';
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
