/**
 * What the comparison measures: file systems that are started on an empty place, used, and stopped, one after the other.
 */

export interface Target {
  readonly name: string;
  /** How it is mounted, for the report. */
  readonly how: string;
  /** Starts it with everything it keeps in `place`, a new directory on the host. */
  start(place: string): Promise<RunningTarget>;
}

export interface RunningTarget {
  /** Where programs use it. */
  readonly directory: string;
  /** Unmounts, and checks what is left where there is something to check it with. */
  stop(): Promise<void>;
}
