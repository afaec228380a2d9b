import {
  type CompleteRequest,
  type GetPromptRequest,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
} from '@modelcontextprotocol/server';
import { FiniError, MissingKeyError } from '../fini/errors.ts';
import { bounded, ERROR_LENGTH, quoted } from '../text.ts';
import { listedNames } from '../tools/listed-tools.ts';
import { SOURCE_TEMPLATE } from '../tools/source-uri.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { loadPrompts, loadSources } from './lazy-modules.ts';
import { withExplainedErrors } from './protocol-error.ts';

/** MCP's limit on completions. */
const MAXIMUM_COMPLETIONS = 100;
const NO_COMPLETION = { completion: { values: [] } };

/** Offers the prompts, and completes their arguments and those of the resources. */
export function offerPrompts(
  server: Server,
  dependencies: ToolDependencies,
  kind: ServerKind,
): void {
  const { workspace } = dependencies;
  const explained = withExplainedErrors(dependencies, kind);
  const canCall = (tool: string) => listedNames(kind).has(tool);
  const load = async () => {
    const { prompts } = await loadPrompts();
    return prompts.filter(({ needs }) => canCall(needs));
  };
  const find = async (name: string) => {
    const prompts = await load();
    const prompt = prompts.find((one) => one.name === name);
    if (prompt !== undefined) return prompt;
    const names = prompts.map((one) => one.name).join(', ');
    const given = JSON.stringify(bounded(name, ERROR_LENGTH));
    throw new ProtocolError(
      ProtocolErrorCode.InvalidParams,
      `There is no prompt ${given}. Available prompts: ${names}.`,
    );
  };

  const listPrompts = explained(async () => ({
    prompts: (await load()).map(({ name, title, description, arguments: given }) => ({
      name,
      title,
      description,
      arguments: Object.entries(given).map(([argument, { description, schema }]) => ({
        name: argument,
        description,
        required: !schema.safeParse(undefined).success,
      })),
    })),
  }));
  const getPrompt = explained(async ({ params }: GetPromptRequest) => {
    const prompt = await find(params.name);
    const given = params.arguments ?? {};
    const faults: string[] = [];
    const values: Record<string, string | undefined> = {};
    for (const [name, { schema }] of Object.entries(prompt.arguments)) {
      // Some clients send an empty text for an argument that was left out.
      const parsed = schema.safeParse(given[name]?.trim() || undefined);
      if (parsed.success) values[name] = parsed.data;
      else {
        const said = parsed.error.issues.map(({ code, message }) =>
          // This project's own messages name the value.
          code === 'custom' || given[name] === undefined
            ? message
            : `${message} (given: ${quoted(given[name])})`,
        );
        faults.push(`${name}: ${said.join('; ')}`);
      }
    }
    if (faults.length > 0)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, faults.join('\n'));
    const content = { type: 'text' as const, text: prompt.text(values, canCall) };
    return { description: prompt.description, messages: [{ role: 'user' as const, content }] };
  });
  const completion = explained(async ({ params }: CompleteRequest, signal: AbortSignal) => {
    const { name, value } = params.argument;
    try {
      const values = await complete(params.ref, name, value, signal);
      return { completion: { values: values.slice(0, MAXIMUM_COMPLETIONS) } };
    } catch (error) {
      // A person who is typing needs no error: without Fini there is nothing to propose.
      if (error instanceof FiniError || error instanceof MissingKeyError) return NO_COMPLETION;
      throw error;
    }
  });
  server.setRequestHandler('prompts/list', listPrompts);
  server.setRequestHandler('prompts/get', getPrompt);
  server.setRequestHandler('completion/complete', (request, { mcpReq: { signal } }) =>
    completion(request, signal),
  );

  async function complete(
    ref: { type: string; name?: string; uri?: string },
    argument: string,
    typed: string,
    signal: AbortSignal,
  ): Promise<string[]> {
    if (ref.name !== undefined) {
      const prompt = await find(ref.name);
      const { complete } = prompt.arguments[argument] ?? {};
      return complete === undefined ? [] : complete((await workspace()).fini, typed, signal);
    }
    if (!ref.uri?.startsWith(SOURCE_TEMPLATE) || argument !== 'id') return [];
    const { completeSourceId } = await loadSources();
    return completeSourceId((await workspace()).fini, typed, signal);
  }
}
