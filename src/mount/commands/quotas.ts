/**
 * Commands on quotas of directories. Where there is no limit, JSON has null.
 */
import { NO_LIMIT, type QuotaLimits } from '../../volume/quota-record.js';
import { Quotas } from '../../volume/quotas.js';
import { volumeLimits } from '../../volume/volume-quota.js';
import { volumeNamed } from './dataset-names.js';
import { flushed } from './states.js';
import type { StoreCommand } from './store-command.js';

/** A directory, by its path in a volume. */
interface DirectoryArgs {
  readonly volume: string | undefined;
  readonly path: string;
}

/** A quota as it is listed. */
export interface QuotaReport {
  /** The path in its volume, with a slash before it; `/` for the volume as a whole. */
  readonly path: string;
  readonly bytesUsed: number;
  readonly bytesMax: number | null;
  readonly inodesUsed: number;
  readonly inodesMax: number | null;
}

interface Usage {
  readonly bytesUsed: number;
  readonly inodesUsed: number;
}

function reportOf(path: string, { bytesUsed, inodesUsed }: Usage, limits: QuotaLimits): QuotaReport {
  const shown = (limit: number): number | null => (limit === NO_LIMIT ? null : limit);
  return { path: `/${path}`, bytesUsed, bytesMax: shown(limits.bytes), inodesUsed, inodesMax: shown(limits.inodes) };
}

/** A path as a user may give it, without slashes at its ends. */
const plainPath = (path: string): string => path.replace(/^\/+|\/+$/g, '');

type LimitArg = number | 'none';

const limitOf = (limit: LimitArg): number => (limit === 'none' ? NO_LIMIT : limit);

/** Puts a quota on a directory, or changes the limits that are given: `none` takes one away. */
export const setQuota: StoreCommand<
  DirectoryArgs & { readonly bytes: LimitArg | undefined; readonly inodes: LimitArg | undefined },
  QuotaReport
> = async ({ volume: name, path, bytes, inodes }, context) => {
  const volume = volumeNamed(name, context);
  const quotas = new Quotas(context.store);
  const plain = plainPath(path);
  await quotas.set(volume, plain, {
    ...(bytes === undefined ? {} : { bytes: limitOf(bytes) }),
    ...(inodes === undefined ? {} : { inodes: limitOf(inodes) }),
  });
  const quota = quotas.get(volume, plain);
  return reportOf(quota.path, quota, quota.limits);
};

/** Takes the quota of a directory away. */
export const removeQuota: StoreCommand<DirectoryArgs, { readonly path: string }> = async (
  { volume, path },
  context,
) => {
  const plain = plainPath(path);
  await new Quotas(context.store).remove(volumeNamed(volume, context), plain);
  return { path: `/${plain}` };
};

/** Lists what a volume uses, with what programs have written so far, and the quotas of its directories. */
export const listQuotas: StoreCommand<
  { readonly volume: string | undefined },
  { readonly volume: string; readonly quotas: readonly QuotaReport[] }
> = async ({ volume: name }, context) => {
  const volume = volumeNamed(name, context);
  await flushed(volume, context);
  const { dataBytes: bytesUsed, inodes: inodesUsed } = volume;
  const whole = reportOf('', { bytesUsed, inodesUsed }, volumeLimits(volume));
  const directories = new Quotas(context.store).list(volume).map((quota) => reportOf(quota.path, quota, quota.limits));
  return { volume: volume.name, quotas: [whole, ...directories] };
};
