import * as z from 'zod';
import type { ToolGroup } from '../config.ts';
import type { Deadline } from '../fini/deadline.ts';
import type { Workspace } from '../workspace.ts';
import { boundedAnswer, type Layout } from './bound.ts';
import { parseInput } from './input.ts';
import { type Explanation, type NextCall, nextCallsSchema } from './next-calls.ts';
import type { ProgressReporter } from './progress.ts';
import { renderText } from './render.ts';

/** The kind of server that a client finds. It decides which tools are listed, and what texts may say. */
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
  readonly missingTokenScope?: string | undefined;
}

/** Dependencies of every tool. */
export interface ToolDependencies {
  /** @throws {MissingKeyError} */
  readonly workspace: () => Workspace | Promise<Workspace>;
  /** Takes an error that nobody expected, with the reference under which the client hears of it. */
  readonly onUnexpectedError: (reference: string, error: unknown) => void;
  /** How long a call without progress may last, in seconds, if not the usual 50. */
  readonly silentCallSeconds?: number;
  /** How many milliseconds a second of a call's time has, if not 1,000; see {@link Deadline}. */
  readonly secondMs?: number;
}

/** The levels of MCP's log that this server uses, the least first. */
export type ClientLogLevel = 'info' | 'warning';

/** The person's answer; `unasked` where the client cannot ask, `unanswered` where asking failed. */
export type Confirmation = 'agreed' | 'declined' | 'unasked' | 'unanswered';

/** A question to a person. */
export interface Question {
  readonly message: string;
  /** All that is agreed to, as JSON can have it: the message may show only a part of it. */
  readonly subject: unknown;
}

/** Everything that a tool's handler gets besides its input. */
export interface ToolContext extends Workspace {
  /** Until when the call works, and the signal that the client's cancel aborts. */
  readonly call: Deadline;
  readonly progress: ProgressReporter;
  /** How long a call may wait whose client asks for no progress, in seconds; null if it does ask. */
  readonly silentSeconds: number | null;
  /** True if the client can call a tool here, so that next steps name only what is there. */
  readonly canCall: (tool: string) => boolean;
  /** Tells the client what happens, where it asked for that level. */
  readonly log: (level: ClientLogLevel, data: Record<string, unknown>) => void;
  /** Asks the person, where the client can (MCP's elicitation); see `askPerson`. */
  readonly confirm: (
    question: Question,
    again?: () => Promise<Question | null>,
  ) => Promise<Confirmation>;
  /** Says what went wrong and what to do, for an answer that is not only an error; see `explainError`. */
  readonly explain: (error: unknown) => Explanation | null;
}

/** A tool, whatever it takes and returns. */
export interface ToolFacts {
  readonly name: string;
  readonly title: string;
  /** When to use it, when not, and what comes next. Its scope is added where it is listed. */
  readonly description: string;
  /** The same for a server that cannot ingest, where `description` names tools that do. */
  readonly readOnlyDescription?: string;
  /** The kind of its effect, which decides with which flags it is listed. */
  readonly kind: 'reads' | 'writes' | 'deletes' | 'publishes';
  /** The scope that a key needs so that all of it works. */
  readonly scope: 'read' | 'write' | 'read and write';
  /** The same call again does no more than the first. */
  readonly idempotent: boolean;
  /** It reaches beyond the workspace: a site or a provider. */
  readonly openWorld: boolean;
}

/** Data of an answer, with what every answer has. */
export type AnswerData<Output> = Output & {
  /** The outcome first, with its counts, in sentences for a person. It names no call. */
  readonly message: string;
  /** Calls of tools that this server does not list are left out by {@link defineTool}. */
  readonly nextCalls?: readonly NextCall[] | undefined;
};

/** A tool as its file defines it. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject>
  extends ToolFacts {
  readonly inputSchema: Input;
  /** The fields besides `message`, `nextCalls` and `omitted`, which every tool has. */
  readonly outputSchema: Output;
  /** The fields that hold items, those that matter most first, and how their text is laid out. */
  readonly lists?: Readonly<Partial<Record<keyof z.output<Output> & string, Layout>>>;
  readonly handler: (
    input: z.output<Input>,
    context: ToolContext,
  ) => Promise<AnswerData<z.output<Output>>>;
  /** The call that shows the items that an answer has no room for. */
  readonly showOmitted?: (output: z.output<Output>, input: z.output<Input>) => NextCall | undefined;
  /** True if the output tells of a failure as a whole. */
  readonly isError?: (output: z.output<Output>, input: z.output<Input>) => boolean;
}

/** The answer of a tool. */
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
  readonly read: (given: unknown) =>
    | {
        readonly input: Readonly<Record<string, unknown>>;
        readonly run: (context: ToolContext) => Promise<ToolAnswer>;
      }
    | { readonly refusal: string };
}

/**
 * Makes a tool of its definition. Whatever holds for every answer is done here: its size is bounded,
 * its calls are of tools that there are, and its text is made from its data.
 */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  const { handler, isError = () => false, lists = {}, showOmitted, ...tool } = definition;
  const layouts: Readonly<Record<string, Layout>> = Object.fromEntries(Object.entries(lists));
  const outputSchema = answerSchema(tool.outputSchema, layouts);
  return {
    ...tool,
    outputSchema,
    read(given) {
      const parsed = parseInput(tool.name, tool.inputSchema, given);
      if ('refusal' in parsed) return parsed;
      return {
        input: parsed.input,
        async run(context) {
          const given = await handler(parsed.input, context);
          const listed = (calls: readonly NextCall[]) => {
            const callable = calls.filter((call) => context.canCall(call.tool));
            return callable.length === 0 ? undefined : callable;
          };
          const { nextCalls = [] } = given;
          const whole = outputSchema.parse({ ...given, nextCalls: listed(nextCalls) });
          const { answer, omitted } = boundedAnswer(whole, layouts);
          const rest = omitted === null ? undefined : showOmitted?.(given, parsed.input);
          const output =
            omitted === null
              ? answer
              : outputSchema.parse({
                  ...answer,
                  omitted,
                  nextCalls: listed(rest === undefined ? nextCalls : [...nextCalls, rest]),
                });
          const text = renderText(output, layouts);
          return { output, text, isError: isError(given, parsed.input) };
        },
      };
    },
  };
}

/** The schema of a whole answer: what decides comes before the lists. */
function answerSchema(
  { shape }: z.ZodObject,
  layouts: Readonly<Record<string, Layout>>,
): z.ZodObject {
  const fields = Object.entries(shape);
  const isList = ([name]: readonly [string, unknown]) => name in layouts;
  return z.object({
    message: z.string().describe('The outcome, for a person.'),
    ...Object.fromEntries(fields.filter((field) => !isList(field))),
    omitted: z
      .record(z.string(), z.int())
      .optional()
      .describe('How many items a long answer leaves out, by list.'),
    nextCalls: nextCallsSchema.optional(),
    ...Object.fromEntries(fields.filter(isList)),
  });
}
