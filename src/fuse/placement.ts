/**
 * Which core the serving thread runs on: that of the client, while all cores are busy and there is one client that waits for each
 * answer.
 *
 * Such a client and the server take turns, and the kernel wakes each on whatever core suits it. Between cores that costs more than
 * serving most requests, and on busy ones both wait for their turn apart from each other. On the same core it is one switch.
 * Measured on 2 cores of a virtual machine under a load average of 11, Linux 6.18, in 143 rounds of 300 calls by one client, against a
 * server that is free to move (and, for the noise, such a server against itself): in the median lookup took 67 µs against 74 (79),
 * stat 71 against 80 (80), create and write 4 KiB 682 against 799 (836), open and read 4 KiB 133 against 154 (156). In all, that
 * is 0.82, 0.72, 0.76 and 0.75 of the time (1.14, 1.08, 0.99, 0.98). Looking after 32 or 1024 requests was no better.
 *
 * While a core is idle, the kernel's scheduler would wake the client there rather than beside the server (select_idle_sibling in
 * kernel/sched/fair.c), and the two would chase each other. There was no idle machine to measure that on; polling.ts serves then.
 *
 * What was tried for the same cost, and is not here: FUSE over io_uring (FUSE_OVER_IO_URING, Linux 6.14), all of the kernel's queues
 * served by this one thread.
 * - It would break the promise that nobody notices a killed server. FUSE_NOTIFY_RESEND knows the queues of devices only, and a ring
 *   once in use stays so (fs/fuse/dev_uring.c). Seen on Linux 6.18, after kill -9 under load: with a successor on the device,
 *   a new call waited in vain; with one that registered a ring of its own, new calls were answered, and those that had been under
 *   way, write-back among them, waited until the mount was taken down. By the source, a request that reaches the ring of a dying
 *   process is not even copied out, so that no successor could answer it.
 * - It did not pay. With client and server on one core, four kinds of calls took 1.02 to 1.07 of the time over the device; on
 *   two cores, from 0.85 to 1.46 of it, by the load and the kind. IORING_SETUP_DEFER_TASKRUN was not measured: with it, a server
 *   that waited for the ring with epoll was not woken.
 */
import { closeSync, openSync, readSync, stat } from 'node:fs';
import { getAffinity, setAffinity } from '../native/addon.js';
import type { MachineLoad } from './polling.js';

/** Requests from one look to the next. A look takes some 10 µs. */
const WINDOW = 128;
/** Requests of others than the most frequent client that still count as few. */
const OTHERS_MAX = WINDOW / 16;
/** Requests that must be the client's own; the rest may be the kernel's, such as write-back. */
const OWN_MIN = WINDOW / 4;
/** Bytes of an affinity mask: one bit for each of 8192 CPUs, the most that Linux can be built for. */
const MASK_BYTES = 1024;
/** `processor`, the 39th field of /proc/PID/stat (proc_pid_stat(5)), counted from the one behind the name. */
const PROCESSOR_FIELD = 39 - 3;

/** Where threads run. */
export interface Cores {
  /** The core on which a thread runs or ran last; undefined when it is gone, or is not to be seen. */
  of(pid: number): number | undefined;
  /** Has the calling thread run on this core only; on all that it began with for undefined. False when that may not be. */
  confine(core: number | undefined): boolean;
}

export class Placement {
  readonly #cores: Cores;
  readonly #load: MachineLoad;
  /** The core that this thread is confined to. */
  #core: number | undefined;
  /** The latest client. */
  #pid = 0;
  #own = 0;
  #others = 0;
  #requests = 0;
  #hasLoneClient = false;

  constructor(cores: Cores, load: MachineLoad) {
    this.#cores = cores;
    this.#load = load;
  }

  /** The client shares the core of this thread, and goes on when this thread sleeps: looking for its next request is in vain. */
  get isBesideClient(): boolean {
    return this.#core !== undefined;
  }

  /** At the last look, nearly all requests came from one client. */
  get hasLoneClient(): boolean {
    return this.#hasLoneClient;
  }

  /** Takes note of a request by the thread `pid`; 0 for the kernel's own. */
  observe(pid: number): void {
    if (pid === this.#pid && pid !== 0) {
      this.#own++;
    } else if (pid !== 0) {
      this.#others++;
      this.#pid = pid;
    }
    if (++this.#requests === WINDOW) {
      this.#look();
    }
  }

  /** Gives up the core. */
  close(): void {
    this.#move(undefined);
  }

  #look(): void {
    this.#hasLoneClient = this.#own >= OWN_MIN && this.#others <= OTHERS_MAX;
    this.#move(this.#hasLoneClient && this.#load.isBusy() ? this.#cores.of(this.#pid) : undefined);
    this.#requests = 0;
    this.#own = 0;
    this.#others = 0;
  }

  #move(core: number | undefined): void {
    if (core === this.#core) {
      return;
    }
    this.#core = core;
    if (!this.#cores.confine(core)) {
      this.#core = undefined;
      this.#cores.confine(undefined);
    }
  }
}

/** The cores of this machine that this thread may use. */
export class HostCores implements Cores {
  readonly #all: Uint8Array;
  readonly #one: Uint8Array;
  readonly #text = Buffer.alloc(1024);
  #isReady = false;

  constructor() {
    const mask = new Uint8Array(MASK_BYTES);
    const length = getAffinity(mask);
    this.#all = mask.subarray(0, Math.max(0, length));
    this.#one = new Uint8Array(this.#all.length);
    // Threads begin with the affinity of the thread that starts them: libuv's must have begun before this one is confined.
    stat('/', () => {
      this.#isReady = true;
    });
  }

  of(pid: number): number | undefined {
    let fd: number;
    try {
      fd = openSync(`/proc/${pid}/stat`, 'r');
    } catch {
      return undefined;
    }
    try {
      const text = this.#text.toString('latin1', 0, readSync(fd, this.#text));
      // The name before it may contain anything.
      const field = text.slice(text.lastIndexOf(')') + 2).split(' ')[PROCESSOR_FIELD];
      return field === undefined ? undefined : Number.parseInt(field, 10);
    } catch {
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  confine(core: number | undefined): boolean {
    if (core === undefined) {
      return setAffinity(this.#all) === 0;
    }
    const byte = core >> 3;
    const bit = 1 << (core & 7);
    if (!this.#isReady || ((this.#all[byte] ?? 0) & bit) === 0) {
      return false;
    }
    this.#one.fill(0);
    this.#one[byte] = bit;
    return setAffinity(this.#one) === 0;
  }
}
