import t from 'tap';
import { SyncPace } from '../../src/store/sync-pace.js';

t.test('a slow disk is not waited for, and one that has become quick is', async (t) => {
  const pace = new SyncPace();
  t.ok(pace.isQuick, 'to begin with');
  for (let i = 0; i < 100; i++) pace.observe(0.1);
  pace.observe(5);
  t.ok(pace.isQuick, 'one slow sync says nothing');
  for (let i = 0; i < 10; i++) pace.observe(5);
  t.notOk(pace.isQuick);
  for (let i = 0; i < 30; i++) pace.observe(0.2);
  t.ok(pace.isQuick);
});
