import type { Tool as ListedTool } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { tools } from './all-tools.ts';
import type { Tool } from './tool.ts';

/** A listed schema, as far as the SDK's types describe it. */
const objectSchema = z.looseObject({ type: z.literal('object') });

/**
 * The JSON Schema that a client receives: as Zod makes it, without the dialect's name and without limits
 * that say nothing.
 */
function jsonSchemaOf(schema: z.ZodObject) {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    // Outputs use it too, since they may have more fields than listed: a client may know an older list.
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // An empty text is refused, which need not be said.
      if (jsonSchema.minLength === 1) delete jsonSchema.minLength;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      // Not every client knows these keywords for an object with any names.
      if (jsonSchema.propertyNames !== undefined) {
        delete jsonSchema.propertyNames;
        delete jsonSchema.additionalProperties;
      }
    },
  });
  return objectSchema.parse(json);
}

/** A tool as a client lists it. */
function listed({ name, title, kind, scope, ...tool }: Tool, description: string): ListedTool {
  return {
    name,
    title,
    description: `${description} Needs ${scope} scope.`,
    inputSchema: jsonSchemaOf(tool.inputSchema),
    outputSchema: jsonSchemaOf(tool.outputSchema),
    annotations: {
      readOnlyHint: kind === 'reads',
      // Publishing an update replaces what customers are told.
      destructiveHint: kind === 'deletes' || kind === 'publishes',
      idempotentHint: tool.idempotent,
      openWorldHint: tool.openWorld,
    },
  };
}

/** Every tool as clients list it. The build replaces this module by its result. */
export const listing = tools.map((tool) => listed(tool, tool.description));

/** The tools that only read, for a server that cannot ingest: their texts mention no tool that does. */
export const readOnlyListing = tools
  .filter(({ kind }) => kind === 'reads')
  .map((tool) => listed(tool, tool.readOnlyDescription ?? tool.description));
