import { randomUUID } from 'node:crypto';
import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type Tool as ListedTool,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Workspace } from '../workspace.ts';
import { explainError, explainFault } from './errors.ts';
import { ProgressReporter } from './progress.ts';
import { parseInput } from './refusal.ts';

/**
 * How long a call waits at most, in seconds, if its client asks for no progress. Most of these
 * clients drop a call after 60 s, and its result with it. A queueing request under way gets five
 * seconds more, so such a call ends after 55 s.
 */
const SILENT_CALL_SECONDS = 50;
/** How long a person has to answer a question. */
const QUESTION_TIMEOUT_MS = 10 * 60_000;

/** What a tool's handler gets besides its input. */
export interface ToolContext extends Workspace {
  /** When the call began, by `performance.now()`. */
  readonly startedAt: number;
  /** Aborted when the client cancels the call or goes away. */
  readonly signal: AbortSignal;
  readonly progress: ProgressReporter;
  /** How long the call may last, whatever it asks for, in seconds. */
  readonly longestSeconds: number;
  /** Whether tools that change something are listed too, so that next steps may name them. */
  readonly canWrite: boolean;
  /** Whether the client reaches the server over HTTP, which decides how a key is set. */
  readonly overHttp: boolean;
  /** Tells the client what happens, where it asked for that level. */
  readonly log: (level: LogLevel, data: Record<string, unknown>) => void;
  /** Asks the person, where the client can (MCP's elicitation); only then is the question made. */
  readonly confirm: (question: () => Promise<string>) => Promise<Confirmation>;
}

/** The levels of MCP's log that this server uses, the least first. */
export type LogLevel = 'info' | 'warning';

/** The call that a tool answers, as the SDK hands it on. */
export type CallExtra = ServerContext;

/** Whether the person agreed; `unasked` where the client cannot ask, `unanswered` where asking failed. */
export type Confirmation = 'agreed' | 'declined' | 'unasked' | 'unanswered';

/** What the server gives every tool. */
export interface ToolDependencies {
  /** @throws {MissingKeyError} */
  readonly workspace: () => Workspace;
  /** Takes an error that nobody expected, with the reference under which the client hears of it. */
  readonly onUnexpectedError: (reference: string, error: unknown) => void;
  /** How long a call without progress may last, in seconds, if not the usual 50. */
  readonly silentCallSeconds?: number;
}

/** What a server tells the tools of its client. */
export interface Session {
  readonly canWrite: boolean;
  readonly overHttp: boolean;
  /** Sends a log message for a call, where the client asked for that level. */
  readonly log: (extra: CallExtra, level: LogLevel, data: Record<string, unknown>) => void;
}

/** A tool as its file defines it. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  /** When to use it, when not, and what comes next. */
  readonly description: string;
  readonly inputSchema: Input;
  readonly outputSchema: Output;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
  readonly handler: (input: z.output<Input>, context: ToolContext) => Promise<z.output<Output>>;
  /** All of the structured output again: many clients give a model only one of the two. */
  readonly text: (output: z.output<Output>) => string;
  /** Whether the output tells of a failure as a whole. */
  readonly isError?: (output: z.output<Output>) => boolean;
}

/** A tool, ready to be added to a server. */
export interface Tool {
  readonly name: string;
  readonly isReadOnly: boolean;
  /** It destroys what cannot be brought back. */
  readonly isDestructive: boolean;
  /** Makes what answers its calls. The input is as the client sent it. */
  readonly answer: (
    server: Server,
    dependencies: ToolDependencies,
    session: Session,
  ) => (given: unknown, extra: CallExtra) => Promise<CallToolResult | InputRequiredResult>;
  /** The tool as a client lists it. */
  readonly list: () => ListedTool;
}

/** What the SDK's types know of a listed schema. */
const objectSchema = z.looseObject({ type: z.literal('object') });

/**
 * The JSON Schema that a client is given, without what says nothing: the name of the dialect, and
 * the bounds of every integer. An output may have more fields than it lists, so that a client that
 * knows only an older list takes it all the same.
 */
function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (io === 'output') delete jsonSchema.additionalProperties;
      // Each is refused when it is empty, which goes without saying.
      if (jsonSchema.minLength === 1) delete jsonSchema.minLength;
      if (Array.isArray(jsonSchema.default)) delete jsonSchema.default;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return json;
}

/** Makes a tool of its definition. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { name, title, description, inputSchema, outputSchema, annotations } = definition;
  return {
    name,
    isReadOnly: annotations.readOnlyHint,
    isDestructive: annotations.destructiveHint,
    list: () => ({
      name,
      title,
      description,
      inputSchema: objectSchema.parse(jsonSchemaOf(inputSchema, 'input')),
      outputSchema: objectSchema.parse(jsonSchemaOf(outputSchema, 'output')),
      annotations,
    }),
    answer(server, dependencies, session) {
      return async (given, extra) => {
        const parsed = parseInput(name, inputSchema, given);
        if ('refusal' in parsed) return errorResult(parsed.refusal);
        const startedAt = performance.now();
        const { signal, _meta, notify } = extra.mcpReq;
        const token = _meta?.progressToken;
        const progress = new ProgressReporter((update) => {
          if (token === undefined) return;
          const params = { ...update, progressToken: token };
          // A client that has gone needs no progress; its call is ended by the signal.
          notify({ method: 'notifications/progress', params }).catch(() => undefined);
        });
        try {
          const confirm = (question: () => Promise<string>) => askPerson(server, extra, question);
          const log: ToolContext['log'] = (level, data) => session.log(extra, level, data);
          const { canWrite, overHttp } = session;
          const workspace = dependencies.workspace();
          const longestSeconds = secondsFor(token !== undefined, dependencies);
          const call = {
            startedAt,
            signal,
            progress,
            longestSeconds,
            canWrite,
            overHttp,
            log,
            confirm,
          };
          const output = await definition.handler(parsed.input, { ...workspace, ...call });
          return answer(definition, outputSchema.parse(output));
        } catch (error) {
          if (error instanceof QuestionAsked) return error.result;
          // A call that was cancelled gets no answer, so how it ended concerns nobody.
          if (signal.aborted) return { content: [], isError: true };
          return errorResult(failureText(error, dependencies, session.overHttp));
        } finally {
          progress.end(false);
          if (token !== undefined) await progress.delivered();
        }
      };
    },
  };
}

/** How long a call may last, whatever it asks for: with progress, as long as it asks for. */
function secondsFor(
  hasProgress: boolean,
  { silentCallSeconds = SILENT_CALL_SECONDS }: ToolDependencies,
): number {
  return hasProgress ? Number.POSITIVE_INFINITY : silentCallSeconds;
}

/** The name of the question in what a client of 2026 answers. */
const QUESTION = 'confirmation';

/**
 * Ends a call with a question: a client of 2026 asks the person and makes the call again, with the
 * answer.
 */
class QuestionAsked extends Error {
  override readonly name = 'QuestionAsked';
  readonly result: InputRequiredResult;

  constructor(message: string) {
    super(message);
    const requestedSchema = { type: 'object' as const, properties: {} };
    const question = inputRequired.elicit({ mode: 'form', message, requestedSchema });
    this.result = inputRequired({ inputRequests: { [QUESTION]: question } });
  }
}

/** What a client says of how it can ask the person. */
const elicitationSchema = z
  .object({ elicitation: z.object({ form: z.unknown(), url: z.unknown() }).partial().optional() })
  .catch({});
/** The same in a request of 2026, which says it each time. */
const envelopeSchema = z.object({ [CLIENT_CAPABILITIES_META_KEY]: elicitationSchema });

/** Asks the person, on the call's own stream: over HTTP a client need not have another open. */
async function askPerson(
  server: Server,
  { mcpReq: { envelope, inputResponses, send, signal } }: CallExtra,
  question: () => Promise<string>,
): Promise<Confirmation> {
  const isModern = envelope !== undefined;
  const { elicitation } = isModern
    ? envelopeSchema.parse(envelope)[CLIENT_CAPABILITIES_META_KEY]
    : elicitationSchema.parse(server.getClientCapabilities());
  if (elicitation === undefined) return 'unasked';
  // A client that only opens pages cannot ask.
  if (elicitation.form === undefined && elicitation.url !== undefined) return 'unasked';
  if (isModern) {
    const response = inputResponse(inputResponses, QUESTION);
    if (response.kind !== 'elicit') throw new QuestionAsked(await question());
    return response.action === 'accept' ? 'agreed' : 'declined';
  }
  const message = await question();
  try {
    const requestedSchema = { type: 'object' as const, properties: {} };
    const params = { mode: 'form' as const, message, requestedSchema };
    // A person may take a while; the client decides how long it shows the question.
    const options = { signal, timeout: QUESTION_TIMEOUT_MS };
    const { action } = await send({ method: 'elicitation/create', params }, options);
    return action === 'accept' ? 'agreed' : 'declined';
  } catch (error) {
    if (signal.aborted) throw error;
    return 'unanswered';
  }
}

function answer<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
  output: z.output<Output>,
): CallToolResult {
  return {
    content: [{ type: 'text', text: definition.text(output) }],
    structuredContent: output,
    isError: definition.isError?.(output) ?? false,
  };
}

/** What a model is told where a call could not be answered. */
export function errorResult(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

/** What a client is told of an error; of one that nobody expected, where to look it up. */
export function failureText(
  error: unknown,
  dependencies: Pick<ToolDependencies, 'onUnexpectedError'>,
  overHttp: boolean,
): string {
  const text = explainError(error, overHttp);
  if (text !== null) return text;
  const reference = randomUUID();
  dependencies.onUnexpectedError(reference, error);
  return explainFault(error, reference);
}
