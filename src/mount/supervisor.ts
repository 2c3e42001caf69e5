/**
 * The supervisor of a store and its mounts: has a worker serve them, and when that dies (kill -9, out of memory, a bug) starts
 * another one, which recovers the store and goes on. Programs that use the mounts see a pause.
 *
 * It holds what must not go with a worker: the /dev/fuse descriptors, whose closing would end the mounts, and the store's lock.
 * Beyond that it does nothing, so that nothing can make it die.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { errnoName, receiveFileDescriptor, socketPair } from '../native/addon.js';
import type { ServiceEnd } from './control-server.js';
import { DEATHS_MAX, DEATHS_WITHIN_MS, DeathWatch } from './death-watch.js';
import { openLog, type Terminal } from './log.js';
import { LOG_FILE, LogFile } from './log-file.js';
import { MountError } from './mount-error.js';
import type { MountReport, MountRequest } from './mount-request.js';
import { RemoteError } from './serialised-error.js';
import { detachInChild } from './start-detach.js';
import type { Deaths, InheritedMount, InheritedStore, WorkerMessage, WorkerRequest } from './worker-protocol.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
/** The descriptors that a worker inherits behind its standard files and the IPC channel. */
const FIRST_INHERITED = 4;
/** What keeps a worker from going on with a store (no memory, no space, an error of the disk) may be over soon. Milliseconds. */
const RETRY_MS = 1000;
/** Characters of a dying worker's error output that are kept. */
const ERROR_OUTPUT_KEPT = 4096;

/** How one worker ended. `end` is what it said, undefined when it died without a word. */
interface WorkerEnd {
  readonly end: ServiceEnd | undefined;
  readonly how: string;
  /** It could not be started, or could not open the store. */
  readonly isFailure: boolean;
  readonly errorOutput: string;
}

export class Supervisor {
  readonly #request: MountRequest;
  readonly #terminal: Terminal | undefined;
  readonly #deathWatch: DeathWatch;
  #worker: ChildProcess | undefined;
  #deaths: Deaths = { count: 0, last: '' };
  #lock: number | undefined;
  readonly #mounts = new Map<number, InheritedMount>();
  #nextMount = 0;
  /** Resolves when the last mount has ended for good. It never rejects. */
  #ended: Promise<ServiceEnd> | undefined;

  /** `terminal` receives what the log says, where somebody watches. */
  constructor(request: MountRequest, terminal?: Terminal, deathWatch = new DeathWatch()) {
    this.#request = request;
    this.#terminal = terminal;
    this.#deathWatch = deathWatch;
  }

  /** Mounts. Resolves when programs can use the mount; throws what stood in the way. */
  async start(): Promise<MountReport> {
    const { ready, ended } = this.#startWorker();
    const report = await ready;
    this.#ended = this.#supervise(ended);
    return report;
  }

  /** Resolves when the last mount has ended for good. It never rejects. */
  get ended(): Promise<ServiceEnd> {
    return this.#ended ?? Promise.resolve({ outcome: 'clean' });
  }

  /** Passes a signal on to the worker: at SIGTERM and SIGINT it unmounts. */
  signal(signal: NodeJS.Signals): void {
    this.#worker?.kill(signal);
  }

  /** The process that serves now. */
  get workerPid(): number | undefined {
    return this.#worker?.pid;
  }

  async #supervise(first: Promise<WorkerEnd>): Promise<ServiceEnd> {
    let ended = first;
    for (;;) {
      const { end, how, isFailure, errorOutput } = await ended;
      if (end !== undefined && end.outcome !== 'restart') {
        return end;
      }
      if (end === undefined) {
        this.#deaths = { count: this.#deaths.count + 1, last: errorOutput === '' ? how : `${how}: ${errorOutput}` };
        if (this.#deathWatch.note(Date.now())) {
          const often = `${DEATHS_MAX} times within ${DEATHS_WITHIN_MS / 1000} s, the last time by`;
          return this.#giveUp(`the serving process died ${often} ${this.#deaths.last}`);
        }
      }
      if (this.#request.transport === 'fuse-native') {
        return this.#giveUp(
          `the serving process died by ${this.#deaths.last}, and a mount over fuse-native ends with it`,
        );
      }
      if (isFailure) await setTimeout(RETRY_MS);
      ended = this.#startSuccessor();
    }
  }

  #startSuccessor(): Promise<WorkerEnd> {
    const { ready, ended } = this.#startWorker();
    // A successor that cannot go on has died, and why is in its end.
    ready.catch(() => undefined);
    return ended;
  }

  #noteView(id: number, view: number): void {
    const mount = this.#mounts.get(id);
    if (mount !== undefined) this.#mounts.set(id, { ...mount, description: { ...mount.description, view } });
  }

  #drop(id: number): void {
    const mount = this.#mounts.get(id);
    if (mount === undefined) return;
    this.#mounts.delete(id);
    closeSync(mount.fuse);
  }

  /** Ends the mounts, because going on is hopeless, and says why. */
  async #giveUp(error: string): Promise<ServiceEnd> {
    const { store, mountPoint, transport } = this.#request;
    const logFile = new LogFile(path.join(store, LOG_FILE));
    openLog(logFile, this.#terminal).fatal({ deaths: this.#deaths }, `${error}: unmounting`);
    logFile.close();
    if (transport === 'fuse-native') await detachInChild(mountPoint, true);
    for (const { fuse, description } of this.#mounts.values()) {
      await detachInChild(description.mountPoint, true);
      closeSync(fuse);
    }
    return { outcome: 'failed', error };
  }

  /** Starts a worker that serves what there is, or mounts what was asked for when there is nothing yet. */
  #startWorker(): { readonly ready: Promise<MountReport>; readonly ended: Promise<WorkerEnd> } {
    const pair = socketPair();
    if (typeof pair === 'number') {
      throw new MountError('daemon-failed', `A socket cannot be made: ${errnoName(pair)}.`);
    }
    const [ours, theirs] = pair;
    const descriptors = [theirs];
    const inherit = (fd: number): number => FIRST_INHERITED + descriptors.push(fd) - 1;
    const inherited: InheritedStore | undefined =
      this.#lock === undefined
        ? undefined
        : {
            lock: inherit(this.#lock),
            mounts: [...this.#mounts.values()].map(({ fuse, description }) => ({ fuse: inherit(fuse), description })),
            deaths: this.#deaths,
            nextMount: this.#nextMount,
          };
    const worker = spawn(process.execPath, [WORKER, this.#request.mountPoint, this.#request.store], {
      cwd: '/',
      // Ctrl-C at a terminal reaches the supervisor alone, which passes it on.
      detached: this.#terminal !== undefined,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...descriptors],
    });
    closeSync(theirs);
    this.#worker = worker;
    const message: WorkerRequest = {
      request: this.#request,
      terminal: this.#terminal !== undefined,
      socket: FIRST_INHERITED,
      ...(inherited === undefined ? {} : { inherited }),
    };
    worker.send(message, () => undefined);
    let errorOutput = '';
    worker.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#terminal?.(chunk);
      errorOutput = (errorOutput + chunk).slice(-ERROR_OUTPUT_KEPT);
    });
    let end: ServiceEnd | undefined;
    let failure = '';
    const ready = new Promise<MountReport>((resolve, reject) => {
      worker.on('message', (said: WorkerMessage) => {
        switch (said.kind) {
          case 'lock':
            this.#lock = receiveFileDescriptor(ours);
            break;
          case 'mounted':
            this.#nextMount = Math.max(this.#nextMount, said.mount.id + 1);
            this.#mounts.set(said.mount.id, { fuse: receiveFileDescriptor(ours), description: said.mount });
            break;
          case 'replaced':
            this.#noteView(said.id, said.view);
            break;
          case 'unmounted':
            this.#drop(said.id);
            break;
          case 'ready':
            resolve(said.report);
            break;
          case 'failed':
            failure = said.error.message;
            reject(new RemoteError(said.error));
            break;
          case 'ended':
            ({ end } = said);
            break;
        }
      });
      worker.once('error', (error) => reject(cannotStart(error.message)));
      worker.once('close', (code, signal) => reject(endedEarly(code, signal, errorOutput)));
    });
    const ended = new Promise<WorkerEnd>((resolve) => {
      worker.once('error', (error) => resolve({ end, how: error.message, isFailure: true, errorOutput: '' }));
      worker.once('close', async (code, signal) => {
        // What it had said last is heard first.
        if (worker.connected) await new Promise((heard) => worker.once('disconnect', heard));
        closeSync(ours);
        const how = failure || (signal ?? `exit code ${code}`);
        const isFailure = failure !== '';
        resolve({ end, how, isFailure, errorOutput: this.#terminal === undefined ? errorOutput.trim() : '' });
      });
    });
    return { ready, ended };
  }
}

const cannotStart = (reason: string): MountError =>
  new MountError('daemon-failed', `The serving process cannot be started: ${reason}.`);

const endedEarly = (code: number | null, signal: NodeJS.Signals | null, errorOutput: string): MountError =>
  new MountError(
    'daemon-failed',
    `The serving process ended before it was ready (${signal ?? `exit code ${code}`}).`,
    errorOutput.trimEnd(),
  );
