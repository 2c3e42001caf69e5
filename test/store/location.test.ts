/**
 * The choice of the store's place, over invented hosts, and the facts that it rests on, in a scratch directory.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { chooseStore, type Host, locateStore, type PlaceState, placeState } from '../../src/store/location.js';

interface Invented {
  environment?: Record<string, string>;
  places?: Record<string, PlaceState>;
  foreign?: string[];
}

const host = ({ environment = {}, places = {}, foreign = [] }: Invented): Host => ({
  environment,
  homeDirectory: '/home/ada',
  workingDirectory: '/home/here',
  stateOf: (place) => places[place] ?? 'creatable',
  belongsToUser: (place) => !foreign.includes(place),
});

const SYSTEM = '/var/lib/razorfs';
const USER = '/home/ada/.local/state/razorfs';
const TEMPORARY = '/tmp/razorfs_data';

t.test('the order of places', (t) => {
  const all = { RAZORFS_STORE: '/env/store', XDG_STATE_HOME: '/xdg' };
  const cases: [string, string | undefined, Invented, string, string][] = [
    ['the option', '/opt/store', { environment: all }, '/opt/store', 'option'],
    ['a relative option', 'sub/store', {}, '/home/here/sub/store', 'option'],
    ['the variable', undefined, { environment: all }, '/env/store', 'environment'],
    ['an empty variable', undefined, { environment: { RAZORFS_STORE: '' } }, SYSTEM, 'system'],
    ['the system', undefined, {}, SYSTEM, 'system'],
    ['the system, read-only', undefined, { places: { [SYSTEM]: 'read-only' } }, SYSTEM, 'system'],
    ['the user', undefined, { places: { [SYSTEM]: 'denied' } }, USER, 'user'],
    [
      'the user, by XDG',
      undefined,
      { environment: { XDG_STATE_HOME: '/xdg' }, places: { [SYSTEM]: 'denied' } },
      '/xdg/razorfs',
      'user',
    ],
    [
      'a relative XDG variable is ignored',
      undefined,
      { environment: { XDG_STATE_HOME: 'xdg' }, places: { [SYSTEM]: 'denied' } },
      USER,
      'user',
    ],
    ['the last resort', undefined, { places: { [SYSTEM]: 'denied', [USER]: 'denied' } }, TEMPORARY, 'temporary'],
  ];
  for (const [name, option, invented, place, reason] of cases) {
    t.same(chooseStore(option, host(invented)), { path: place, reason }, name);
  }
  t.end();
});

t.test('refusals', (t) => {
  const cases: [string, string | undefined, Invented, string, RegExp][] = [
    ['an empty option', '', {}, 'not-a-store', /is empty/],
    ['a file', '/a', { places: { '/a': 'not-a-directory' } }, 'not-a-store', /\/a cannot.*not a directory/],
    ['permission', '/a', { places: { '/a': 'denied' } }, 'no-permission', /\/a cannot.*permission denied/],
    [
      'a variable is not passed over',
      undefined,
      { environment: { RAZORFS_STORE: '/a' }, places: { '/a': 'denied' } },
      'no-permission',
      /\/a/,
    ],
    ['a file in a default place', undefined, { places: { [SYSTEM]: 'not-a-directory' } }, 'not-a-store', /\/var\/lib/],
    [
      'another user’s directory in /tmp',
      undefined,
      { places: { [SYSTEM]: 'denied', [USER]: 'denied' }, foreign: [TEMPORARY] },
      'no-permission',
      /belongs to another user/,
    ],
    [
      'nowhere',
      undefined,
      { places: { [SYSTEM]: 'denied', [USER]: 'denied', [TEMPORARY]: 'denied' } },
      'no-permission',
      /No place/,
    ],
  ];
  for (const [name, option, invented, code, message] of cases) {
    t.throws(() => chooseStore(option, host(invented)), { name: 'StoreError', code, message }, name);
  }
  t.end();
});

t.test('the states of places on this host', (t) => {
  const base = fs.realpathSync(t.testdir({ directory: {}, file: 'x' }));
  t.equal(placeState(`${base}/directory`), 'usable');
  t.equal(placeState(`${base}/directory/a/b`), 'creatable');
  t.equal(placeState(`${base}/file`), 'not-a-directory');
  t.equal(placeState(`${base}/file/a`), 'not-a-directory');
  fs.symlinkSync('directory/later', `${base}/link`);
  t.equal(placeState(`${base}/link`), 'creatable');
  t.same(locateStore(`${base}/directory`), { path: `${base}/directory`, reason: 'option' });
  t.same(fs.readdirSync(`${base}/directory`), [], 'nothing is made');
  t.end();
});

t.test('read-only and forbidden places', { skip: process.getuid?.() !== 0 && 'only root can make them' }, (t) => {
  const base = fs.mkdtempSync(path.join(tmpdir(), 'razorfs-location-'));
  t.teardown(() => fs.rmSync(base, { recursive: true }));
  fs.chmodSync(base, 0o755);
  fs.mkdirSync(`${base}/ro`);
  execFileSync('mount', ['-t', 'tmpfs', 'none', `${base}/ro`]);
  t.teardown(() => execFileSync('umount', [`${base}/ro`]));
  fs.mkdirSync(`${base}/ro/store`);
  execFileSync('mount', ['-o', 'remount,ro', `${base}/ro`]);
  t.equal(placeState(`${base}/ro/store`), 'read-only');
  t.equal(placeState(`${base}/ro/other`), 'denied', 'cannot be made there');

  fs.mkdirSync(`${base}/private`, { mode: 0o700 });
  const script = `import(${JSON.stringify(new URL('../../src/store/location.js', import.meta.url).href)})
    .then(({ placeState }) => {
      process.setuid(65534);
      console.log(['private', 'private/a', 'new'].map((name) => placeState('${base}/' + name)).join());
    })`;
  t.equal(spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout, 'denied,denied,denied\n');
  t.end();
});
