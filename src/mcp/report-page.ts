/** Permissions of the page in its host: it loads nothing from anywhere. */
const UI = {
  csp: { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] },
  prefersBorder: true,
};

/** The report page as listed. Hosts show it beside a tool's result (MCP Apps, revision 2026-01-26). */
export const REPORT_PAGE = {
  uri: 'ui://fini/report',
  name: 'report',
  title: 'Report',
  description: 'Shows what came in, what failed and why, and what is still running.',
  mimeType: 'text/html;profile=mcp-app',
  _meta: { ui: UI },
};

/** The tools whose results the page shows. */
const SHOWN_TOOLS: ReadonlySet<string> = new Set([
  'ingest_site',
  'import_provider_resources',
  'ingest_and_wait',
  'wait_for_sources',
  'generate_knowledge',
]);

/** A listed tool, with a link to the page if the page shows its results. */
export function withPage<Listed extends { readonly name: string }>(tool: Listed): Listed {
  const _meta = { ui: { resourceUri: REPORT_PAGE.uri } };
  return SHOWN_TOOLS.has(tool.name) ? { ...tool, _meta } : tool;
}

/** Reads the page, which is loaded when a host asks for it. */
export async function readReportPage() {
  const { html } = await import('../page/html.ts');
  const { uri, mimeType, _meta } = REPORT_PAGE;
  return { uri, mimeType, text: html, _meta };
}
