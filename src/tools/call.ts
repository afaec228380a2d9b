import { setMaxListeners } from 'node:events';
import type {
  CallToolResult,
  InputRequiredResult,
  Server,
  ServerContext,
} from '@modelcontextprotocol/server';
import { Deadline, type Pause } from '../fini/deadline.ts';
import type { ClientLog } from './client-log.ts';
import { askPerson, QuestionAsked } from './confirm.ts';
import { explainError, explanationOf, explanationText, type FailedCall } from './explain-error.ts';
import { findTool } from './find-tool.ts';
import { listedNames } from './listed-tools.ts';
import { type Explanation, inputFor } from './next-calls.ts';
import { ProgressReporter } from './progress.ts';
import type { ServerKind, ToolDependencies } from './tool.ts';

/**
 * Maximum wait of a call whose client asks for no progress, in seconds. Most of these clients drop a
 * call after 60 s, and its result with it. A queueing request in progress gets five seconds more, so
 * such a call ends after 55 s.
 */
const SILENT_CALL_SECONDS = 50;

// The texts of errors are loaded along with calls, so that no failure needs another file.
export { failureText } from './explain-error.ts';

/** The parts that all calls of one client share. */
export interface ClientConnection {
  readonly server: Server;
  readonly kind: ServerKind;
  readonly dependencies: ToolDependencies;
  /** Sends a log message for a call, if the client asked for that level. */
  readonly log: ClientLog;
}

/** Answers a call: finds its tool, reads its input and runs it. It always returns a result. */
export async function answerCall(
  name: string,
  input: unknown,
  extra: ServerContext,
  { server, kind, dependencies, log }: ClientConnection,
): Promise<CallToolResult | InputRequiredResult> {
  const tool = findTool(name, kind);
  if (typeof tool === 'string') return errorResult({ message: tool, nextCalls: [] });
  const call = tool.read(input);
  if ('refusal' in call) return errorResult({ message: call.refusal, nextCalls: [] });
  const given = inputFor(call.input, {});
  const canWaitLonger = 'timeoutSeconds' in tool.inputSchema.shape;
  let made: FailedCall = { tool: tool.name, arguments: given, canWaitLonger };
  const { signal, _meta, notify } = extra.mcpReq;
  // Several requests and pauses of one call listen to it at once.
  setMaxListeners(0, signal);
  const token = _meta?.progressToken;
  const progress = new ProgressReporter((update) => {
    if (token === undefined) return;
    const params = { ...update, progressToken: token };
    // A client that has disconnected needs no progress; the signal ends its call.
    notify({ method: 'notifications/progress', params }).catch(() => undefined);
  });
  try {
    const workspace = await dependencies.workspace();
    const names = listedNames(kind);
    const { silentCallSeconds = SILENT_CALL_SECONDS } = dependencies;
    const silentSeconds = token === undefined ? silentCallSeconds : null;
    const seconds = Math.min(
      workspace.waitTimeoutSeconds,
      silentSeconds ?? workspace.waitTimeoutSeconds,
    );
    const { timeoutSeconds: asked = workspace.waitTimeoutSeconds } = given;
    if (silentSeconds !== null && silentSeconds <= Number(asked)) {
      made = { ...made, silentSeconds };
    }
    const onPause = (pause: Pause) => progress.paused(pause.seconds);
    const { output, text, isError } = await call.run({
      ...workspace,
      call: Deadline.after(seconds, signal, { onPause, secondMs: dependencies.secondMs }),
      progress,
      silentSeconds,
      canCall: (name) => names.has(name),
      log: (level, data) => log(extra, level, data),
      confirm: (question, again) => askPerson(server, extra, question, again),
      explain: (error) => explainError(error, kind, made),
    });
    return { content: [{ type: 'text', text }], structuredContent: output, isError };
  } catch (error) {
    if (error instanceof QuestionAsked) return error.result;
    // A cancelled call gets no answer, so its result does not matter.
    if (signal.aborted) return { content: [], isError: true };
    return errorResult(explanationOf(error, dependencies, kind, made));
  } finally {
    progress.end(false);
    if (token !== undefined) await progress.delivered();
  }
}

/** Names in `_meta` of an error's message and next calls: it has no structured content. */
const MESSAGE = 'fini-mcp/message';
const NEXT_CALLS = 'fini-mcp/nextCalls';

/** The answer to a call that failed. */
export function errorResult(explanation: Explanation): CallToolResult {
  const { message, nextCalls } = explanation;
  return {
    content: [{ type: 'text', text: explanationText(explanation) }],
    isError: true,
    ...(nextCalls.length > 0 && { _meta: { [MESSAGE]: message, [NEXT_CALLS]: nextCalls } }),
  };
}
