import type { WaitOptions } from '../engine/wait.ts';
import {
  bounded,
  boundedOrNull,
  ERROR_LENGTH,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import type { ToolContext } from './tool.ts';

/** Options of a tool's wait: its length, and its reports to the client. */
export function waitOptions(
  timeoutSeconds: number | undefined,
  { waitTimeoutSeconds, silentSeconds, call, progress, log }: ToolContext,
): WaitOptions {
  let isTroubled = false;
  const seconds = timeoutSeconds ?? waitTimeoutSeconds;
  const isCut = silentSeconds !== null && silentSeconds < seconds;
  return {
    deadline: call.lasting(isCut ? silentSeconds : seconds),
    askedSeconds: isCut ? seconds : undefined,
    onProgress(state) {
      progress.update(state);
      if (state.trouble !== null && !isTroubled) {
        const error = bounded(state.trouble.message, ERROR_LENGTH);
        log('warning', { message: 'Fini did not answer a status check; trying again', error });
      }
      isTroubled = state.trouble !== null;
    },
    onChange({ id, originalUrl, title, linkedJobStatus, error }, before) {
      const from = boundedOrNull(before, WORD_LENGTH);
      const to = boundedOrNull(linkedJobStatus, WORD_LENGTH);
      log('info', {
        message: `source ${from ?? 'queued'} → ${to}`,
        id,
        originalUrl: boundedOrNull(originalUrl, URL_LENGTH),
        title: boundedOrNull(title, TITLE_LENGTH),
        from,
        to,
        ...(error && { error: bounded(error, ERROR_LENGTH) }),
      });
    },
  };
}
