import * as z from 'zod';
import type { ToolGroup } from '../config.ts';
import type { Deadline } from '../fini/deadline.ts';
import type { Workspace } from '../workspace.ts';
import { boundedAnswer, type Layout } from './bound.ts';
import { parseInput } from './input.ts';
import { type Explanation, type NextCall, nextCallsSchema } from './next-calls.ts';
import type { ProgressReporter } from './progress.ts';
import { renderText } from './render.ts';

/** The kind of server that a client finds. It decides which tools are listed, and what texts mention. */
export interface ServerKind {
  /** True to list only the tools that change nothing. */
  readonly readOnly: boolean;
  /** True to list the tools that delete permanently. */
  readonly allowDelete: boolean;
  /** True to list the tools that change what customers are told. */
  readonly allowPublish: boolean;
  /** The groups of tools to list. */
  readonly toolGroups: readonly ToolGroup[];
  /** True if the Fini behind it is the sandbox. */
  readonly sandbox: boolean;
  /** True if clients reach it over HTTP. */
  readonly http: boolean;
  /** The scope that the client's access token lacks, so that only tools that change nothing are listed. */
  readonly missingTokenScope?: string | undefined;
}

/** Dependencies of every tool. */
export interface ToolDependencies {
  /** @throws {MissingKeyError} */
  readonly workspace: () => Workspace | Promise<Workspace>;
  /** Takes an unexpected error, with the reference under which the client sees it. */
  readonly onUnexpectedError: (reference: string, error: unknown) => void;
  /** Maximum seconds of a call without progress, if not the usual 50. */
  readonly silentCallSeconds?: number;
  /** Milliseconds in a second of a call's time, by default 1,000; see {@link Deadline}. */
  readonly secondMs?: number;
}

/** The levels of MCP's log that this server uses, the lowest first. */
export type ClientLogLevel = 'info' | 'warning';

/** The person's answer; `unasked` if the client cannot ask, `unanswered` if asking failed. */
export type Confirmation = 'agreed' | 'declined' | 'unasked' | 'unanswered';

/** A question to a person. */
export interface Question {
  readonly message: string;
  /** Everything that the person agrees to, as JSON: the message may show only a part of it. */
  readonly subject: unknown;
}

/** Everything that a tool's handler receives besides its input. */
export interface ToolContext extends Workspace {
  /** The deadline of the call, with the signal that the client's cancel aborts. */
  readonly call: Deadline;
  readonly progress: ProgressReporter;
  /** Maximum seconds for a call whose client asks for no progress; null if it does ask. */
  readonly silentSeconds: number | null;
  /** True if the client can call a tool here, so that next steps mention only existing tools. */
  readonly canCall: (tool: string) => boolean;
  /** Sends the client a log message, if it asked for that level. */
  readonly log: (level: ClientLogLevel, data: Record<string, unknown>) => void;
  /** Asks the person, if the client can (MCP's elicitation); see `askPerson`. */
  readonly confirm: (
    question: Question,
    again?: () => Promise<Question | null>,
  ) => Promise<Confirmation>;
  /** Explains an error, for an answer that is more than an error; see `explainError`. */
  readonly explain: (error: unknown) => Explanation | null;
}

/** Facts about a tool, whatever its input and output. */
export interface ToolFacts {
  readonly name: string;
  readonly title: string;
  /** Text about when to use it, when not, and what comes next. Its scope is added in the list. */
  readonly description: string;
  /** The description for a server that cannot ingest, if `description` mentions tools that do. */
  readonly readOnlyDescription?: string;
  /** The kind of effect, which decides with which flags it is listed. */
  readonly kind: 'reads' | 'writes' | 'deletes' | 'publishes';
  /** The scope that a key needs for all of it to work. */
  readonly scope: 'read' | 'write' | 'read and write';
  /** True if repeating a call does no more than the first one. */
  readonly idempotent: boolean;
  /** True if it reaches beyond the workspace: to a site or a provider. */
  readonly openWorld: boolean;
}

/** Data of an answer, with the fields that every answer has. */
export type AnswerData<Output> = Output & {
  /** Sentences for a person, the outcome with its counts first. They mention no call. */
  readonly message: string;
  /** Next calls. {@link defineTool} leaves out tools that this server does not list. */
  readonly nextCalls?: readonly NextCall[] | undefined;
};

/** A tool as its file defines it. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject>
  extends ToolFacts {
  readonly inputSchema: Input;
  /** The fields besides `message`, `nextCalls` and `omitted`, which every tool has. */
  readonly outputSchema: Output;
  /** The fields that hold items, the most important first, with the layout of their text. */
  readonly lists?: Readonly<Partial<Record<keyof z.output<Output> & string, Layout>>>;
  readonly handler: (
    input: z.output<Input>,
    context: ToolContext,
  ) => Promise<AnswerData<z.output<Output>>>;
  /** Returns the call that shows the items which an answer has no room for. */
  readonly showOmitted?: (output: z.output<Output>, input: z.output<Input>) => NextCall | undefined;
  /** Returns true if the output reports a failure as a whole. */
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
  /** Reads an input as the client sent it: returns the call to run, or the reason for refusing it. */
  readonly read: (given: unknown) =>
    | {
        readonly input: Readonly<Record<string, unknown>>;
        readonly run: (context: ToolContext) => Promise<ToolAnswer>;
      }
    | { readonly refusal: string };
}

/**
 * Makes a tool from its definition. Rules for every answer are applied here: its size is limited, its
 * next calls are of listed tools, and its text is made from its data.
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

/** The schema of a whole answer: the fields that decide come before the lists. */
function answerSchema(
  { shape }: z.ZodObject,
  layouts: Readonly<Record<string, Layout>>,
): z.ZodObject {
  const fields = Object.entries(shape);
  const isList = ([name]: readonly [string, unknown]) => name in layouts;
  return z.object({
    message: z.string().describe('Summary of the outcome, for a person.'),
    ...Object.fromEntries(fields.filter((field) => !isList(field))),
    omitted: z
      .record(z.string(), z.int())
      .optional()
      .describe('Number of items that a long answer leaves out, by list.'),
    nextCalls: nextCallsSchema.optional(),
    ...Object.fromEntries(fields.filter(isList)),
  });
}
