/**
 * Whether the host can clone ranges of files (reflinks: btrfs, XFS, …), found out by trying.
 */
import { cloneRange, errnoName } from '../native/addon.js';
import { DiskError, type FileBytes } from './disk.js';

/** What a host answers that has no reflinks, or not between files of this store: it is not asked again. */
const NEVER: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL', 'EPERM', 'EACCES']);
/**
 * What it answers when this one range cannot be cloned now. XFS has no room for more references while there may be some for a copy;
 * ZFS does not clone what it has not written yet.
 */
const NOT_NOW: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EAGAIN', 'EBUSY', 'ETXTBSY']);

export class Reflinks {
  readonly #blockBytesOfHost: () => number;
  #blockBytes = 0;
  #isRefused = false;

  /** `blockBytesOfHost` is asked when the first range is to be cloned. */
  constructor(blockBytesOfHost: () => number) {
    this.#blockBytesOfHost = blockBytesOfHost;
  }

  /** See `DiskFile.cloneFrom`. The descriptors are those of `path` and of the source, which has `sourceBytes`. */
  clone(path: string, fd: number, source: number, sourceBytes: number, { from, to }: FileBytes): FileBytes {
    const nothing = { from: to, to };
    if (this.#isRefused) return nothing;
    this.#blockBytes ||= this.#blockBytesOfHost();
    const block = this.#blockBytes;
    const first = Math.ceil(from / block) * block;
    // The last block of the source, if it is not full, could only become the last of a file that ends there too.
    const end = Math.floor(Math.min(to, sourceBytes) / block) * block;
    if (end <= first) return nothing;
    const result = cloneRange(fd, source, first, end - first);
    if (result >= 0) return { from: first, to: end };
    const code = errnoName(result);
    if (NEVER.has(code)) this.#isRefused = true;
    else if (!NOT_NOW.has(code)) throw new DiskError(code, 'ioctl_ficlonerange', path);
    return nothing;
  }
}
