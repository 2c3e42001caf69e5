import t from 'tap';
import { AdaptivePolling, HostLoad } from '../../src/fuse/polling.js';

function budgets(polling: AdaptivePolling, count: number, found: boolean): number {
  let looks = 0;
  for (let i = 0; i < count; i++) {
    if (polling.budget() > 0) {
      looks++;
      polling.observe(found);
    }
  }
  return looks;
}

t.test('it looks while that pays, seldom when not, and comes back', (t) => {
  const polling = new AdaptivePolling({ isBusy: () => false });
  t.equal(budgets(polling, 100, true), 100);
  budgets(polling, 100, false);
  const seldom = budgets(polling, 160, false);
  t.ok(seldom > 0 && seldom <= 10, `${seldom} of 160`);
  budgets(polling, 160, true);
  t.equal(budgets(polling, 100, true), 100);
  t.end();
});

t.test('it does not look while others want the core', (t) => {
  t.equal(budgets(new AdaptivePolling({ isBusy: () => true }), 100, true), 0);
  t.end();
});

t.test('the load of this machine can be told', (t) => {
  const load = new HostLoad();
  t.type(load.isBusy(), 'boolean');
  load.close();
  t.end();
});
