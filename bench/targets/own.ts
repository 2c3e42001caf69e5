/** The two targets that are always there: the host's file system, and RazorFS with its default options. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { check, mount, umount } from '../razorfs.js';
import type { Target } from './target.js';

export const HOST = 'host';
export const RAZORFS = 'RazorFS';

export const hostTarget: Target = {
  name: HOST,
  how: 'a directory of the host, in which all others keep their data',
  async start(place) {
    return { directory: place, stop: async () => undefined };
  },
};

export const razorfsTarget: Target = {
  name: RAZORFS,
  how: '`razorfs MNT --store DIR`, all options as they are by default',
  async start(place) {
    const directory = path.join(place, 'mnt');
    const store = path.join(place, 'store');
    mkdirSync(directory);
    await mount(directory, store);
    return {
      directory,
      async stop() {
        await umount(directory);
        await check(store);
      },
    };
  },
};
