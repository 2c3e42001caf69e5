/**
 * The virtual machine: qemu, which is killed where a power cut is wanted. What the guest has written to its ports is then in files of the
 * host, up to the last byte that a write had returned for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Kernel } from './guest-root.js';
import { type GuestOrder, type GuestReport, journalPort, REPORT_PORT, WRITERS } from './order.js';

const QEMU = 'qemu-system-x86_64';
/** Virtual machines that run others cannot always hand on arch-capabilities, and nothing here needs it. */
const CPUS = { kvm: 'host,arch-capabilities=off', tcg: 'max' } as const;
/** On a busy host an emulated timer may come too late for the kernel's trust in it; mitigations cost an emulated kernel much. */
const KERNEL_WORDS = 'console=ttyS0 loglevel=4 panic=-1 no_timer_check mitigations=off rdinit=/init';
const MEMORY_MIB = 1024;
const LOOK_INTERVAL_MS = 50;
/** What takes longer will not come. */
const WAIT_MS_MAX = 300_000;
const BLOCK_BYTES = 512;

export const ACCELERATORS = ['kvm', 'tcg'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

export interface MachineParts {
  readonly kernel: Kernel;
  readonly root: string;
  /** The socket of the disk. */
  readonly socket: string;
  readonly accelerator: Accelerator;
  /** For the files of one boot. */
  readonly directory: string;
}

export class Machine {
  readonly #qemu: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #directory: string;
  #isEnded = false;

  /** Starts it, with what it is to do. */
  constructor(parts: MachineParts, order: GuestOrder) {
    this.#directory = parts.directory;
    mkdirSync(parts.directory, { recursive: true });
    const text = JSON.stringify(order);
    // A disk has whole blocks, and JSON may end with spaces.
    writeFileSync(this.#file('order'), text + ' '.repeat(BLOCK_BYTES - (Buffer.byteLength(text) % BLOCK_BYTES)));
    this.#qemu = spawn(QEMU, this.#words(parts), { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.#qemu.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
    // However this program ends, the machine ends with it.
    const end = (): void => void this.#qemu.kill('SIGKILL');
    process.once('exit', end);
    this.#ended = new Promise((resolve) =>
      this.#qemu.once('close', () => {
        process.off('exit', end);
        this.#isEnded = true;
        writeFileSync(this.#file('qemu-said'), said);
        resolve();
      }),
    );
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }

  #words({ kernel, root, socket, accelerator }: MachineParts): string[] {
    const ports = [REPORT_PORT, ...Array.from({ length: WRITERS }, (_, writer) => journalPort(writer))].flatMap(
      (port) => [
        ...['-chardev', `file,id=port${port},path=${this.#file(`port-${port}`)}`],
        ...['-device', `virtserialport,chardev=port${port},nr=${port}`],
      ],
    );
    return [
      ...['-accel', accelerator, '-cpu', CPUS[accelerator], '-smp', '2', '-m', `${MEMORY_MIB}`],
      ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', `file:${this.#file('console')}`],
      ...['-kernel', kernel.file, '-initrd', root, '-append', KERNEL_WORDS],
      ...['-drive', `file=nbd+unix:///?socket=${socket},format=raw,if=virtio`],
      ...['-drive', `file=${this.#file('order')},format=raw,readonly=on,if=virtio`],
      ...['-device', 'virtio-serial-pci', ...ports],
    ];
  }

  /** What the guest has said on a port so far, in whole lines. */
  #lines(port: number): string[] {
    try {
      return readFileSync(this.#file(`port-${port}`), 'utf8')
        .split('\n')
        .slice(0, -1);
    } catch {
      return [];
    }
  }

  get reports(): GuestReport[] {
    return this.#lines(REPORT_PORT).map((line) => JSON.parse(line));
  }

  get journals(): string[] {
    return Array.from({ length: WRITERS }, (_, writer) =>
      this.#lines(journalPort(writer))
        .map((line) => `${line}\n`)
        .join(''),
    );
  }

  /** Resolves when the guest has reported that, or has failed. Throws when the machine ends before. */
  hasReported(state: GuestReport['state']): Promise<void> {
    return this.#until(() => this.reports.some((report) => report.state === state));
  }

  /** Resolves when all writers have begun, or the guest has failed. */
  isAtWork(): Promise<void> {
    return this.#until(() => this.journals.every((journal) => journal !== ''));
  }

  get hasFailed(): boolean {
    return this.reports.some(({ state }) => state === 'failed');
  }

  async #until(condition: () => boolean): Promise<void> {
    const started = performance.now();
    while (!condition() && !this.hasFailed) {
      if (this.#isEnded) throw new Error(`the machine has ended; see ${this.#directory}`);
      if (performance.now() - started > WAIT_MS_MAX) throw new Error(`the machine hangs; see ${this.#directory}`);
      await setTimeout(LOOK_INTERVAL_MS);
    }
  }

  /** Cuts the power. */
  async kill(): Promise<void> {
    this.#qemu.kill('SIGKILL');
    await this.#ended;
  }
}

/** How long a machine may take until it says that it is there. */
const START_MS_MAX = 30_000;

/** Whether a machine of this kind starts: there are hosts with a /dev/kvm that cannot run every kernel. */
export async function starts(parts: MachineParts): Promise<boolean> {
  const machine = new Machine(parts, {
    fileSystem: 'ext4',
    past: undefined,
    kept: [],
    isScrubbed: false,
    work: undefined,
  });
  const reported = machine.hasReported('mounting').then(
    () => true,
    () => false,
  );
  const isThere = await Promise.race([reported, setTimeout(START_MS_MAX, false)]);
  await machine.kill();
  return isThere;
}
