/**
 * How many pages a number of changes can take.
 */
import { levelOf } from '../tree/page.js';
import type { StoreState, VolumeState } from './state.js';

/** Pages that are in use, of whatever tree. */
export const pagesInUse = ({ pages }: StoreState): number => pages.file.capacity - pages.free;

/** A level by which a tree may have grown meanwhile, and a neighbour that a leaf is merged with. */
const PAGES_BESIDE_PATH = 2;

/**
 * Pages that changing or removing so many items takes: of trees like these, all on the way to each item, which may be far from each
 * other, but no page twice.
 */
export function pagesTouched(store: StoreState, items: number, ...volumes: readonly VolumeState[]): number {
  const { pages } = store;
  const levels = volumes.map(({ tree }) => levelOf(pages.words(tree.root), pages.base(tree.root)));
  return Math.min(items * (Math.max(...levels) + 1 + PAGES_BESIDE_PATH), pagesInUse(store));
}
