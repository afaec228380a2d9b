import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult, Tool as ListedTool } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import type { FiniClient } from '../fini/client.ts';
import type { Ingestion } from '../ingestion/ingestion.ts';
import { explainError } from './error-text.ts';
import { ProgressReporter } from './progress.ts';

/** How long a person has to answer a question. */
const QUESTION_TIMEOUT_MS = 10 * 60_000;

/** One Fini workspace, as the tools see it. */
export interface Workspace {
  readonly fini: FiniClient;
  readonly ingestion: Ingestion;
  /** How long a wait lasts where a call does not say, in seconds. */
  readonly waitTimeoutSeconds: number;
}

/** What a tool's handler gets besides its input. */
export interface ToolContext extends Workspace {
  /** Aborted when the client cancels the call or goes away. */
  readonly signal: AbortSignal;
  readonly progress: ProgressReporter;
  /** Asks the person, where the client can (MCP's elicitation); only then is the question made. */
  readonly confirm: (question: () => Promise<string>) => Promise<Confirmation>;
}

/** Whether the person agreed; `unasked` where the client cannot ask. */
export type Confirmation = 'agreed' | 'declined' | 'unasked';

/** What the server gives every tool. */
export interface ToolDependencies {
  /** @throws {MissingKeyError} */
  readonly workspace: () => Workspace;
  /** Takes an error that nobody expected, with the reference under which the client hears of it. */
  readonly onUnexpectedError: (reference: string, error: unknown) => void;
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
  /** The same as the structured output, for clients that show only text. */
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
  readonly register: (server: McpServer, dependencies: ToolDependencies) => void;
  /** The tool as a client lists it. */
  readonly list: () => ListedTool;
}

/** What the SDK's types know of a listed schema. */
const objectSchema = z.looseObject({ type: z.literal('object') });

/**
 * The JSON Schema that a client is given, without what says nothing: the name of the dialect, and
 * the bounds of every integer. An output says what its fields mean; that each is there and no other
 * is for this server to see to, and would make clients break on a field of a newer one.
 */
function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (io === 'output') {
        delete jsonSchema.required;
        delete jsonSchema.additionalProperties;
      }
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      const types = jsonSchema.anyOf?.map((option) => option.type);
      const plain = z.array(z.enum(['string', 'boolean', 'number', 'null'])).safeParse(types);
      if (!plain.success) return;
      delete jsonSchema.anyOf;
      Object.assign(jsonSchema, { type: plain.data });
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
    register(server, dependencies) {
      // Widened on purpose: the SDK's callback type cannot be resolved for a schema that is generic.
      const inputAsAny: z.ZodType = inputSchema;
      const config = { title, description, annotations, inputSchema: inputAsAny, outputSchema };
      server.registerTool(name, config, async (input, extra) => {
        const { signal } = extra;
        const token = extra._meta?.progressToken;
        const progress = new ProgressReporter((update) => {
          if (token === undefined) return;
          const params = { ...update, progressToken: token };
          // A client that has gone needs no progress; its call is ended by the signal.
          extra
            .sendNotification({ method: 'notifications/progress', params })
            .catch(() => undefined);
        });
        try {
          const confirm = (question: () => Promise<string>) => askPerson(server, question, signal);
          const context = { ...dependencies.workspace(), signal, progress, confirm };
          // The SDK has parsed the input with this very schema.
          const output = await definition.handler(input as z.output<Input>, context);
          return answer(definition, outputSchema.parse(output));
        } catch (error) {
          // A call that was cancelled gets no answer, so how it ended concerns nobody.
          if (signal.aborted) return { content: [], isError: true };
          return failure(error, dependencies);
        } finally {
          progress.end(false);
          // A notification right before the answer is dropped by the SDK's clients (typescript-sdk
          // issue 2580), so the answer waits for a turn of the timers.
          if (token !== undefined && progress.hasReported) await sleep(1);
        }
      });
    },
  };
}

async function askPerson(
  server: McpServer,
  question: () => Promise<string>,
  signal: AbortSignal,
): Promise<Confirmation> {
  if (server.server.getClientCapabilities()?.elicitation === undefined) return 'unasked';
  const { action } = await server.server.elicitInput(
    { message: await question(), requestedSchema: { type: 'object', properties: {} } },
    // A person may take a while; the client decides how long it shows the question.
    { signal, timeout: QUESTION_TIMEOUT_MS },
  );
  return action === 'accept' ? 'agreed' : 'declined';
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

function failure(error: unknown, dependencies: ToolDependencies): CallToolResult {
  return { content: [{ type: 'text', text: textOf(error, dependencies) }], isError: true };
}

function textOf(error: unknown, dependencies: ToolDependencies): string {
  const text = explainError(error);
  if (text !== null) return text;
  const reference = randomUUID();
  dependencies.onUnexpectedError(reference, error);
  return `Something went wrong inside fini-mcp, which is a fault of this server and not of the input. Its log on stderr has the details under the reference ${reference}. Calling again may help; if not, report it with that log.`;
}
