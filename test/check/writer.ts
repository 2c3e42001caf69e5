/**
 * A process that fills the store it is given until it is killed. It says `ready` once much has been done, after a checkpoint or
 * two, and goes on.
 */
import { setImmediate } from 'node:timers/promises';
import { Attributes } from '../../src/filesystem/attributes.js';
import { ROOT_INO } from '../../src/store/units.js';
import { CALLER, fileSystemOf, openStore, populate, write } from './store-fixture.js';

const [directory] = process.argv.slice(2);
const store = await openStore(directory);
const fileSystem = fileSystemOf(store);
const out = new Attributes();
populate(fileSystem, 200);
for (let i = 0; ; i++) {
  fileSystem.makeNode(ROOT_INO, Buffer.from(`written ${i}`), 0o100644, 0, CALLER, out);
  write(fileSystem, out.ino, 0, Buffer.alloc(1000 + (i % 50) * 1000, i));
  if (i % 3 === 0) fileSystem.unlink(ROOT_INO, Buffer.from(`written ${i}`), CALLER);
  if (i === 300) process.stdout.write('ready\n');
  if (i % 20 === 0) await setImmediate();
}
