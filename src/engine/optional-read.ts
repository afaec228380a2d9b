import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';

/** The time that a read may take whose result a call can do without, in seconds. */
export const OPTIONAL_READ_SECONDS = 10;

/**
 * The answer to a read whose result a call can do without, or Fini's error in its place.
 *
 * @throws any other error, and every error once the call's signal is aborted.
 */
export async function optionalRead<Answer>(
  answer: Promise<Answer>,
  { signal }: Pick<Deadline, 'signal'>,
): Promise<Answer | FiniError> {
  try {
    return await answer;
  } catch (error) {
    if (signal.aborted || !(error instanceof FiniError)) throw error;
    return error;
  }
}
