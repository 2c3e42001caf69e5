/**
 * What the running kernel can do, where the protocol does not say so.
 */
import os from 'node:os';

function kernelIsAtLeast(major: number, minor: number): boolean {
  const [runningMajor = 0, runningMinor = 0] = os
    .release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return runningMajor > major || (runningMajor === major && runningMinor >= minor);
}

/** FUSE_NOTIFY_RESEND */
export const kernelCanResend = (): boolean => kernelIsAtLeast(6, 9);

/** FUSE_NOTIFY_INC_EPOCH */
export const kernelHasEpochs = (): boolean => kernelIsAtLeast(6, 16);
