/**
 * Large reads, answered without their data passing through the memory of this thread.
 *
 * What the host has in its page cache goes from there to the device in one step; what it has not is read by a background thread, which
 * sends the answer too. Measured on 2 cores of a virtual machine, Linux 6.18, interleaved: cold files of 1 MiB, 578 a second against
 * 430 (and 527 with the answers of the background alone), of 256 KiB, 1889 against 1526; 128 MiB in order, cold, 1282 MB/s against
 * 1305 in one run and 1262 against 1052 in another, where what bounds it is how fast pages can be touched for the first time.
 *
 * Answering in the background what is cached too, on as many threads as there are cores, was no faster, with read-ahead of 1, 2 or
 * 4 MiB: the cores have to share that bound.
 */
import { constants } from 'node:os';
import { DELIVERED, type Delivery } from '../filesystem/operations.js';
import { errnoName } from '../native/addon.js';
import type { Service } from './service.js';

/** Below this, copying is as fast as what it takes to avoid it. */
const BYTES_MIN = 64 * 1024;

/** The kernel has ended the connection, which the next read from the device tells. */
const GONE: ReadonlySet<number> = new Set([constants.errno.ENODEV, constants.errno.ECONNABORTED]);

/** Delivers the reply to the present request. */
export class ReplyDelivery implements Delivery {
  readonly device: number;
  readonly #service: Service;

  constructor(service: Service, device: number) {
    this.#service = service;
    this.device = device;
  }

  begin(length: number): boolean {
    if (length < BYTES_MIN) return false;
    const { request, reply } = this.#service;
    reply.header(request.uniqueLow, request.uniqueHigh, 0, length);
    return true;
  }

  end(errno: number): number {
    if (errno !== 0 && !GONE.has(errno)) {
      this.#service.options.failures.report(new Error(`a reply could not be sent: ${errnoName(-errno)}`));
    }
    return DELIVERED;
  }
}
