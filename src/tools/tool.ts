import type * as z from 'zod';
import type { ToolGroup } from '../config.ts';
import type { Deadline } from '../fini/deadline.ts';
import type { Workspace } from '../workspace.ts';
import type { ProgressReporter } from './progress.ts';
import { parseInput } from './refusal.ts';

/** What kind of server a client finds. It decides which tools are listed, and what texts may say. */
export interface ServerKind {
  /** Offers only the tools that change nothing. */
  readonly readOnly: boolean;
  /** Offers also those that destroy what cannot be brought back. */
  readonly allowDelete: boolean;
  /** Offers also those that change what customers are told. */
  readonly allowPublish: boolean;
  /** Offers only the tools of these groups. */
  readonly toolGroups: readonly ToolGroup[];
  /** The Fini behind it is made up. */
  readonly sandbox: boolean;
  /** Clients reach it over HTTP. */
  readonly http: boolean;
  /** The scope that the client's access token lacks: without it, only what changes nothing is offered. */
  readonly withoutScope?: string | undefined;
}

/** What the server gives every tool. */
export interface ToolDependencies {
  /** @throws {MissingKeyError} */
  readonly workspace: () => Workspace;
  /** Takes an error that nobody expected, with the reference under which the client hears of it. */
  readonly onUnexpectedError: (reference: string, error: unknown) => void;
  /** How long a call without progress may last, in seconds, if not the usual 50. */
  readonly silentCallSeconds?: number;
}

/** The levels of MCP's log that this server uses, the least first. */
export type ClientLogLevel = 'info' | 'warning';

/** Whether the person agreed; `unasked` where the client cannot ask, `unanswered` where asking failed. */
export type Confirmation = 'agreed' | 'declined' | 'unasked' | 'unanswered';

/** What a person is asked. */
export interface Question {
  readonly message: string;
  /** All that is agreed to, as JSON can have it: the message may show only a part of it. */
  readonly subject: unknown;
}

/** What a tool's handler gets besides its input. */
export interface ToolContext extends Workspace {
  /** Until when the call works, and the signal that the client's cancel aborts. */
  readonly call: Deadline;
  readonly progress: ProgressReporter;
  /** How long a call may wait whose client asks for no progress, in seconds; null if it does ask. */
  readonly silentSeconds: number | null;
  /** Whether the client can call a tool here, so that next steps name only what is there. */
  readonly canCall: (tool: string) => boolean;
  /** Tells the client what happens, where it asked for that level. */
  readonly log: (level: ClientLogLevel, data: Record<string, unknown>) => void;
  /** Asks the person, where the client can (MCP's elicitation); see `askPerson`. */
  readonly confirm: (
    question: Question,
    again?: () => Promise<Question | null>,
  ) => Promise<Confirmation>;
  /** Says what went wrong and what to do, for an answer that is not only an error; see `explainError`. */
  readonly explain: (error: unknown) => string | null;
}

/** A tool, whatever it takes and returns. */
interface ToolFacts {
  readonly name: string;
  readonly title: string;
  /** When to use it, when not, and what comes next. Its scope is added where it is listed. */
  readonly description: string;
  /** The same for a server that cannot ingest, where `description` names tools that do. */
  readonly readOnlyDescription?: string;
  /** What it may do, which decides with which flags it is listed. */
  readonly kind: 'reads' | 'writes' | 'deletes' | 'publishes';
  /** What a key needs so that all of it works. */
  readonly scope: 'read' | 'write' | 'read and write';
  /** The same call again does no more than the first. */
  readonly idempotent: boolean;
  /** It reaches beyond the workspace: a site or a provider. */
  readonly openWorld: boolean;
}

/** A tool as its file defines it. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject>
  extends ToolFacts {
  readonly inputSchema: Input;
  readonly outputSchema: Output;
  readonly handler: (input: z.output<Input>, context: ToolContext) => Promise<z.output<Output>>;
  /** All of the structured output again: many clients give a model only one of the two. */
  readonly text: (output: z.output<Output>) => string;
  /** Whether the output tells of a failure as a whole. */
  readonly isError?: (output: z.output<Output>) => boolean;
}

/** What a tool answers. */
export interface ToolAnswer {
  readonly output: Record<string, unknown>;
  readonly text: string;
  readonly isError: boolean;
}

/** A tool, ready to be listed and called. */
export interface Tool extends ToolFacts {
  readonly inputSchema: z.ZodObject;
  readonly outputSchema: z.ZodObject;
  /** Reads an input as the client sent it: the call that it asks for, or why it is refused. */
  readonly read: (
    given: unknown,
  ) =>
    | { readonly run: (context: ToolContext) => Promise<ToolAnswer> }
    | { readonly refusal: string };
}

/** Makes a tool of its definition. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { handler, text, isError = () => false, ...tool } = definition;
  return {
    ...tool,
    read(given) {
      const parsed = parseInput(tool.name, tool.inputSchema, given);
      if ('refusal' in parsed) return parsed;
      return {
        async run(context) {
          const output = tool.outputSchema.parse(await handler(parsed.input, context));
          return { output, text: text(output), isError: isError(output) };
        },
      };
    },
  };
}
