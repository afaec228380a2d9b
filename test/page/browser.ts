import { fileURLToPath } from 'node:url';
import { Client, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import {
  AppBridge,
  type McpUiHostCapabilities,
  type McpUiHostContext,
} from '@modelcontextprotocol/ext-apps/app-bridge';
import { type Browser, chromium, type FrameLocator, type Page } from 'playwright-core';
import {
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/sandbox-server.ts';

/*
 * A host for the page: Chromium shows it in a sandboxed frame, the library's AppBridge speaks for the
 * host, and its client is connected to the built server with a sandbox of its own.
 */

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const URI = 'ui://fini/report';
const MIME = 'text/html;profile=mcp-app';

/** Debian's Chromium, which asks nobody for anything by itself. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A built server with its sandbox, and a client that shows pages. */
export interface Served {
  readonly client: Client;
  readonly sandbox: Sandbox;
  readonly close: () => Promise<void>;
}

/** Starts a server whose jobs end at once, unless the options say otherwise. */
export async function serve(options: SandboxOptions = {}): Promise<Served> {
  const sandbox = await startSandbox({
    ...{ pendingMs: 20, workingMs: 30, lingerMs: 30 },
    requestsPerMinute: Number.POSITIVE_INFINITY,
    ...options,
  });
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: { extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: [MIME] } } } },
  );
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI],
    env: {
      FINI_API_KEY: sandbox.apiKey,
      FINI_BASE_URL: sandbox.url,
      FINI_POLL_INTERVAL_MS: '20',
      FINI_REQUESTS_PER_MINUTE: '100000',
    },
    stderr: 'ignore',
  });
  await client.connect(transport);
  await client.listTools();
  const close = async () => {
    if (transport.pid !== null) process.kill(transport.pid, 'SIGTERM');
    await client.close();
    await sandbox.close();
  };
  return { client, sandbox, close };
}

/** A host that differs from the usual one. */
export interface HostOptions {
  readonly context?: McpUiHostContext;
  readonly capabilities?: McpUiHostCapabilities;
  readonly width?: number;
}

/** The page in its host. */
export interface Shown {
  readonly page: Page;
  /** The text that the page shows. */
  readonly view: FrameLocator;
  readonly bridge: AppBridge;
  /** Links that the page asked the host to open. */
  readonly links: string[];
  /** Texts that the model was told. */
  readonly told: string[];
  /** The sizes that the page told. */
  readonly sizes: object[];
  /** Every request of the browser. */
  readonly requests: string[];
  /** Errors in the page. */
  readonly faults: string[];
  /** Calls a tool as a model does: the page hears of its input and its result. */
  readonly call: (name: string, input: Record<string, unknown>) => Promise<void>;
  readonly close: () => Promise<void>;
}

const HOST = `<!doctype html><title>Host</title>
<style>body { margin: 0 } iframe { display: block; border: 0; width: 100% }</style>
<iframe id="view" sandbox="allow-scripts"></iframe>
<script>
  const view = document.getElementById('view');
  addEventListener('message', ({ source, data }) => {
    if (source === view.contentWindow) fromView(data);
  });
  const toView = (data) => view.contentWindow.postMessage(data, '*');
</script>`;

/** Has Chromium show the page of a server. */
export async function show(
  browser: Browser,
  client: Client,
  { context = {}, capabilities, width = 760 }: HostOptions = {},
): Promise<Shown> {
  const { contents } = await client.readResource({ uri: URI });
  const [content] = contents;
  if (content === undefined || !('text' in content)) throw new Error('The page has no text.');

  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const requests: string[] = [];
  const faults: string[] = [];
  const links: string[] = [];
  const told: string[] = [];
  const sizes: object[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', ({ message }) => faults.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });

  const transport: Transport = {
    start: async () => undefined,
    send: (message) => page.evaluate(`toView(${JSON.stringify(message)})`),
    close: async () => undefined,
  };
  await page.exposeFunction('fromView', (message: JSONRPCMessage) =>
    transport.onmessage?.(message),
  );
  const bridge = new AppBridge(
    client,
    { name: 'test host', version: '1' },
    capabilities ?? { openLinks: {}, serverTools: {}, updateModelContext: { text: {} } },
    { hostContext: context },
  );
  bridge.onopenlink = async ({ url }) => {
    links.push(url);
    return {};
  };
  bridge.onupdatemodelcontext = async ({ content = [] }) => {
    told.push(content.map((part) => (part.type === 'text' ? part.text : '')).join('\n'));
    return {};
  };
  bridge.onsizechange = (size) => {
    const { height } = size;
    sizes.push(size);
    // The last one may come while the page closes.
    page.evaluate(`view.style.height = '${height}px'`).catch(() => undefined);
  };
  const ready = new Promise<void>((resolve) => {
    bridge.oninitialized = () => resolve();
  });
  await bridge.connect(transport);
  await page.setContent(HOST);
  await page.evaluate(`view.srcdoc = ${JSON.stringify(content.text)}`);
  await ready;

  return {
    ...{ page, bridge, links, told, sizes, requests, faults },
    view: page.frameLocator('iframe'),
    async call(name, input) {
      await bridge.sendToolInput({ arguments: input });
      const result = await client.callTool({ name, arguments: input });
      await bridge.sendToolResult(result);
    },
    async close() {
      await bridge.close();
      await page.close();
    },
  };
}
