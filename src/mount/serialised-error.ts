/**
 * Errors that cross from one process to another, with what a person and the exit code need of them.
 */

export interface SerialisedError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

export function serialiseError(error: unknown): SerialisedError {
  if (!(error instanceof Error)) {
    return { name: 'Error', code: 'unexpected', message: String(error), advice: '' };
  }
  const code = 'code' in error ? String(error.code) : 'unexpected';
  return { name: error.name, code, message: error.message, advice: 'advice' in error ? String(error.advice) : '' };
}

/** An error that was thrown in another process. It goes by its name there. */
export class RemoteError extends Error {
  readonly code: string;
  readonly advice: string;

  constructor(error: SerialisedError) {
    super(error.message);
    this.name = error.name;
    this.code = error.code;
    this.advice = error.advice;
  }
}
