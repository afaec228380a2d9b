/** MCP Apps, as servers and clients name it among their extensions. */
export const PAGES_EXTENSION = 'io.modelcontextprotocol/ui';

/** The page as hosts read it, and how it may be shown: nothing is loaded from anywhere. */
const UI = {
  csp: { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] },
  prefersBorder: true,
};

/** The page that hosts show beside a tool's result (MCP Apps, revision 2026-01-26), as it is listed. */
export const REPORT_PAGE = {
  uri: 'ui://fini/report',
  name: 'report',
  title: 'Report',
  description: 'Shows what came in, what failed and why, and what is still running.',
  mimeType: 'text/html;profile=mcp-app',
  _meta: { ui: UI },
};

/** The tools whose results it shows. */
const SHOWN_TOOLS: ReadonlySet<string> = new Set([
  'ingest_site',
  'import_provider_resources',
  'ingest_and_wait',
  'wait_for_sources',
  'generate_knowledge',
]);

/**
 * A listed tool with the page that shows its results, where it has one. Every client is told, since
 * many that show pages do not declare it. Some know only the older, flat name.
 */
export function withPage<Listed extends { readonly name: string }>(tool: Listed): Listed {
  const { uri } = REPORT_PAGE;
  const _meta = { ui: { resourceUri: uri }, 'ui/resourceUri': uri };
  return SHOWN_TOOLS.has(tool.name) ? { ...tool, _meta } : tool;
}

/** The page itself, which is loaded when a host reads it. */
export async function readReportPage() {
  const { html } = await import('../page/html.ts');
  const { uri, mimeType, _meta } = REPORT_PAGE;
  return { uri, mimeType, text: html, _meta };
}
