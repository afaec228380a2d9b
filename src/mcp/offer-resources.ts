import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type Server,
} from '@modelcontextprotocol/server';
import { isSourceId } from '../engine/inputs.ts';
import { FiniError, MissingKeyError } from '../fini/errors.ts';
import { bounded, ERROR_LENGTH, URL_LENGTH } from '../text.ts';
import { parseSourceUri, SOURCE_PART_TEMPLATE, SOURCE_TEMPLATE } from '../tools/source-uri.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { loadSources } from './lazy-modules.ts';
import { showsPages } from './page-clients.ts';
import { protocolError } from './protocol-error.ts';
import { REPORT_PAGE, readReportPage } from './report-page.ts';

const GONE_CURSOR =
  'The source at the end of the previous page may have been deleted. To start again, leave out the cursor.';

/** Offers the sources' texts as resources, and the report page. */
export function offerSources(
  server: Server,
  dependencies: ToolDependencies,
  kind: ServerKind,
): void {
  const { workspace } = dependencies;
  server.setRequestHandler('resources/list', async ({ params }, context) => {
    const cursor = params?.cursor;
    if (cursor !== undefined && !isSourceId(cursor)) {
      const given = JSON.stringify(bounded(cursor, ERROR_LENGTH));
      const message = `${given} is not a cursor of this server. To start again, leave it out.`;
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
    }
    const pages = cursor === undefined && showsPages(server, context) ? [REPORT_PAGE] : [];
    try {
      const { listSourceResources } = await loadSources();
      const { signal } = context.mcpReq;
      const listed = await listSourceResources((await workspace()).fini, cursor, signal);
      return { ...listed, resources: [...pages, ...listed.resources] };
    } catch (error) {
      // Clients list resources at their start: without a key the list is empty, and a tool says why.
      if (error instanceof MissingKeyError) return { resources: pages };
      if (cursor !== undefined && error instanceof FiniError && error.status === 400) {
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, GONE_CURSOR);
      }
      throw await protocolError(error, dependencies, kind);
    }
  });
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [
      {
        uriTemplate: SOURCE_TEMPLATE,
        name: 'source',
        title: "A source's text",
        description:
          "The beginning of a source's text, by source ID. It ends with the URI of the next part.",
        mimeType: 'text/plain',
      },
      {
        uriTemplate: SOURCE_PART_TEMPLATE,
        name: 'source-part',
        title: "A later part of a source's text",
        description: "A source's text from a paragraph on, counted from 0.",
        mimeType: 'text/plain',
      },
    ],
  }));
  server.setRequestHandler('resources/read', async ({ params }, { mcpReq: { signal } }) => {
    const { uri } = params;
    if (uri === REPORT_PAGE.uri) return { contents: [await readReportPage()] };
    const named = parseSourceUri(uri);
    if (named === null) {
      const message = `${JSON.stringify(bounded(uri, ERROR_LENGTH))} is not a resource of this server. Resources are ${SOURCE_TEMPLATE}, with a source ID (UUID).`;
      throw new ResourceNotFoundError(bounded(uri, URL_LENGTH), message);
    }
    try {
      const { readSourceText, SOURCE_MIME_TYPE } = await loadSources();
      const text = await readSourceText((await workspace()).fini, named, signal);
      return { contents: [{ uri, mimeType: SOURCE_MIME_TYPE, text }] };
    } catch (error) {
      throw await protocolError(error, dependencies, kind, uri);
    }
  });
}
