/**
 * Stress tools that distributions package: stress-ng, fio and dbench.
 */
import { runProgram, runToEnd } from '../program.js';
import { type Count, installed, type Suite, type Test } from '../suite.js';

const STRESSOR_SECONDS = 3;
/** They stress the host: mounts, binder, descriptors, /proc, and (fanotify and io) every file system that is mounted. */
const STRESSORS_OF_THE_HOST = ['bind-mount', 'binderfs', 'dup', 'eventfd', 'fanotify', 'io', 'procfs'];
const STRESSORS_MIN = 30;

/** Counts the stressors by their lines in the table of metrics, and the failures by the lines that name them. */
function countStressors(output: string, code: number | null): Count {
  const tests = [...output.matchAll(/ metrc: +\[\d+\] [\w-]+ +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/gm)].length;
  const failures = [...output.matchAll(/ (?:fail|error): +\[\d+\] (.*)/g)].map((match) => match[1]!);
  if (failures.length === 0 && code !== 0) failures.push(`exit code ${code}: ${output.slice(-1000)}`);
  if (tests < STRESSORS_MIN) failures.push(`only ${tests} stressors ran: ${output.slice(-1000)}`);
  return { tests, failures };
}

export const stressNg: Suite = {
  name: 'stress-ng',
  about: 'class filesystem, a stressor after the other',
  missing: () => installed('stress-ng'),
  tests: () =>
    new Map([
      [
        'stressors',
        async ({ directory }) => {
          const bounds = ['--timeout', `${STRESSOR_SECONDS}s`, '--temp-path', directory];
          const choice = ['--class', 'filesystem', '--exclude', STRESSORS_OF_THE_HOST.join(',')];
          const { code, stdout, stderr } = await runToEnd(
            ['stress-ng', ...choice, '--sequential', '1', ...bounds, '--verify', '--metrics-brief'],
            { cwd: directory },
          );
          return countStressors(stdout + stderr, code);
        },
      ],
    ]),
};

const FIO_COMMON = ['--verify=crc32c', '--verify_fatal=1', '--do_verify=1', '--randrepeat=1', '--group_reporting'];
/** By name: what fio writes, and reads again to compare. */
const FIO_JOBS: ReadonlyMap<string, readonly string[]> = new Map([
  ['sequential', ['--rw=write', '--bs=128k', '--size=256m']],
  ['sequential, direct', ['--rw=write', '--bs=128k', '--size=128m', '--direct=1']],
  ['random', ['--rw=randwrite', '--bs=4k', '--size=64m']],
  ['random, direct', ['--rw=randwrite', '--bs=4k', '--size=32m', '--direct=1']],
  [
    'random, direct, asynchronous',
    ['--rw=randwrite', '--bs=4k', '--size=32m', '--direct=1', '--ioengine=libaio', '--iodepth=16'],
  ],
  ['read and write', ['--rw=randrw', '--bs=1k-64k', '--bs_unaligned', '--size=64m']],
  ['mapped', ['--rw=randwrite', '--bs=4k', '--size=64m', '--ioengine=mmap']],
  ['many files, fsynced', ['--rw=randwrite', '--bs=4k', '--size=8m', '--nrfiles=100', '--fsync=16']],
  ['two processes', ['--rw=randwrite', '--bs=8k', '--size=32m', '--numjobs=2']],
]);

const fioTest =
  (words: readonly string[]): Test =>
  async ({ directory }) => {
    // It leaves a file on the state of its verification where it is started.
    await runProgram(['fio', '--name=job', `--directory=${directory}`, ...FIO_COMMON, ...words], { cwd: directory });
  };

export const fio: Suite = {
  name: 'fio',
  about: 'written data verified',
  missing: () => installed('fio'),
  tests: () => new Map([...FIO_JOBS].map(([name, words]) => [name, fioTest(words)])),
};

const DBENCH_SECONDS = 30;
const DBENCH_CLIENTS = 4;

export const dbench: Suite = {
  name: 'dbench',
  about: 'the load of a file server, 4 clients',
  missing: () => installed('dbench'),
  tests: () =>
    new Map([
      [
        'clients',
        async ({ directory }) => {
          await runProgram(['dbench', '-D', directory, '-t', String(DBENCH_SECONDS), String(DBENCH_CLIENTS)]);
        },
      ],
    ]),
};
