/**
 * One process' part in the connection of a mount, which outlives the process.
 *
 * A request that was read and not answered when the process died is sent again to the next one, if the kernel can do that
 * (FUSE_NOTIFY_RESEND, Linux 6.9). To an older kernel the process serves through a descriptor of its own, a clone: with that, its
 * requests end with an error (ECONNABORTED) instead of waiting for ever.
 */
import { closeSync } from 'node:fs';
import { cloneFuseDevice } from '../native/addon.js';
import { kernelCanResend } from './kernel-version.js';
import { resend } from './notify.js';
import type { Session } from './session.js';

export class Connection {
  /** The descriptor that keeps the mount alive. */
  readonly mount: number;
  /** The descriptor to serve. */
  readonly served: number;

  /** `mount` is a descriptor of a mount; it belongs to the connection from here on. */
  constructor(mount: number) {
    this.mount = mount;
    const clone = kernelCanResend() ? -1 : cloneFuseDevice(mount);
    // Without a clone (an ordinary user may not open the device) requests of a dead process wait for the end of the mount.
    this.served = clone >= 0 ? clone : mount;
  }

  /** Asks for the requests that a former process left without an answer. Resolves with the positive errno, 0 for none. */
  async askAgain(session: Session): Promise<number> {
    return kernelCanResend() ? session.notify(resend()) : 0;
  }

  close(): void {
    if (this.served !== this.mount) {
      closeSync(this.served);
    }
    closeSync(this.mount);
  }
}
