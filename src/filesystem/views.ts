/**
 * Node numbers, by which transports know files: made of a view, which tells trees apart, and of the inode number in that tree.
 *
 *   node = view × 2^36 + inode
 *
 * Views come back after 2^17 datasets: a file that is open in a destroyed snapshot may then be taken for one in a new snapshot, if
 * that has an inode of the same number.
 */

/** Inode numbers of a store are below this. */
export const INODES_MAX = 2 ** 36;
/** The views of datasets are below this; the view with this number has the directories that show snapshots. */
export const CONTROL_VIEW = 2 ** 17 - 1;

/** The view of a dataset, by its number. */
export const viewNumber = (id: number): number => id % CONTROL_VIEW;
