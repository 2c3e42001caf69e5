/**
 * A program that supervises a mount for `worker-rounds.ts`, however often its worker is killed. It is a process of its own, as the
 * real daemon is: a supervisor that uses its own mount waits for ever for the worker that it should start.
 */
import { DeathWatch } from '../../src/mount/death-watch.js';
import type { MountRequest } from '../../src/mount/mount-request.js';
import { Supervisor } from '../../src/mount/supervisor.js';

async function run(request: MountRequest): Promise<void> {
  const supervisor = new Supervisor(request, undefined, new DeathWatch(Number.POSITIVE_INFINITY));
  process.on('SIGTERM', () => supervisor.signal('SIGTERM'));
  await supervisor.start();
  process.send?.('ready');
  const { outcome } = await supervisor.ended;
  process.exit(outcome === 'clean' ? 0 : 1);
}

process.once('message', (request: MountRequest) => {
  run(request).catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
});
