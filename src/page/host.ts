import type {
  LATEST_PROTOCOL_VERSION,
  McpUiHostCapabilities,
  McpUiHostContext,
  McpUiInitializeRequest,
  McpUiUpdateModelContextRequest,
} from '@modelcontextprotocol/ext-apps';
import type { NextCall } from '../tools/next-calls.ts';
import { type Fields, fieldsOf, isFields, textOf } from './narrowing.ts';

/*
 * The page's end of MCP Apps (revision 2026-01-26): JSON-RPC over postMessage. It is written out because
 * the library's own takes 650 kB, and 340 kB with everything optional left out. Its types are used here,
 * and its host in the tests.
 */

const PROTOCOL_VERSION: typeof LATEST_PROTOCOL_VERSION = '2026-01-26';
const METHOD_NOT_FOUND = -32601;
/** Error codes of a lost connection and of a request that timed out. */
const LOST_CODES: readonly unknown[] = [-32000, -32001];

/** An error in place of a result, such as a call that the person declined. */
export class HostError extends Error {
  /** True if the host had passed the request on, and heard nothing more of it. */
  readonly mayHaveRun: boolean;

  constructor({ message, code }: Fields) {
    super(textOf(message) ?? 'The host gave no reason.');
    this.mayHaveRun = LOST_CODES.includes(code);
  }
}

/** Messages from a host to the page. */
export interface HostEvents {
  /** Called with the tool's input: the call begins. */
  readonly onToolInput: (input: Fields) => void;
  /** Called with the tool's result. */
  readonly onToolResult: (result: unknown) => void;
  /** Called if the call was cancelled, with a reason if the host gives one. */
  readonly onToolCancelled: (reason: string | undefined) => void;
  /** Called with the complete context of the host when it changes. */
  readonly onContext: (context: Fields) => void;
}

/** Capabilities and context of a host: every field as the specification names it. */
type UncheckedFields<Type> = Readonly<Partial<Record<keyof Type, unknown>>>;

/** A connection to the host that shows this page. */
export class Host {
  readonly #events: HostEvents;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  #lastId = 0;
  #capabilities: UncheckedFields<McpUiHostCapabilities> = {};
  #context: UncheckedFields<McpUiHostContext> = {};

  constructor(events: HostEvents) {
    this.#events = events;
    window.addEventListener('message', ({ source, data }) => {
      // Other frames may post messages too.
      if (source === window.parent && isFields(data) && data.jsonrpc === '2.0') this.#take(data);
    });
  }

  /** Introduces the page, after which the host tells it about its tool's call. */
  async connect(): Promise<void> {
    const params: McpUiInitializeRequest['params'] = {
      appInfo: { name: 'fini-report', version: '1' },
      appCapabilities: { availableDisplayModes: ['inline', 'fullscreen'] },
      protocolVersion: PROTOCOL_VERSION,
    };
    const result = fieldsOf(await this.#request('ui/initialize', { ...params }));
    this.#capabilities = fieldsOf(result.hostCapabilities);
    this.#changeContext(fieldsOf(result.hostContext));
    this.#send({ method: 'ui/notifications/initialized' });
  }

  /** True if the page may call tools. */
  get callsTools(): boolean {
    return isFields(this.#capabilities.serverTools);
  }

  /** True if the host opens links. */
  get opensLinks(): boolean {
    return isFields(this.#capabilities.openLinks);
  }

  /**
   * Calls a tool of this server.
   *
   * @throws {HostError} if the host returned no result.
   */
  callTool({ tool, arguments: input }: NextCall): Promise<unknown> {
    return this.#request('tools/call', { name: tool, arguments: input });
  }

  /**
   * Opens a web page outside of the host's frame.
   *
   * @throws {Error} if the host does not.
   */
  async openLink(url: string): Promise<void> {
    const { isError } = fieldsOf(await this.#request('ui/open-link', { url }));
    if (isError === true) throw new Error('The host did not open the link.');
  }

  /** Tells the model, for its next turn, what was done in the page. Does nothing if the host cannot. */
  async tellModel(text: string): Promise<void> {
    if (!isFields(this.#capabilities.updateModelContext)) return;
    const params: McpUiUpdateModelContextRequest['params'] = { content: [{ type: 'text', text }] };
    await this.#request('ui/update-model-context', { ...params });
  }

  /** Tells the host how large the page is, in pixels. */
  resized(width: number, height: number): void {
    this.#send({ method: 'ui/notifications/size-changed', params: { width, height } });
  }

  #request(method: string, params: Fields): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ id, method, params });
    });
  }

  #send(message: Fields): void {
    // The host's origin is unknown, and the messages contain no secrets.
    window.parent.postMessage({ jsonrpc: '2.0', ...message }, '*');
  }

  #take({ id, method, params, result, error }: Fields): void {
    if (typeof method !== 'string') {
      this.#settle(id, result, error);
    } else if (id === undefined) {
      this.#notified(method, fieldsOf(params));
    } else if (method === 'ping' || method === 'ui/resource-teardown') {
      this.#send({ id, result: {} });
    } else {
      this.#send({ id, error: { code: METHOD_NOT_FOUND, message: 'Method not found' } });
    }
  }

  #settle(id: unknown, result: unknown, error: unknown): void {
    if (typeof id !== 'number') return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new HostError(fieldsOf(error)));
  }

  #notified(method: string, params: Fields): void {
    const { onToolInput, onToolResult, onToolCancelled } = this.#events;
    if (method === 'ui/notifications/tool-input') onToolInput(fieldsOf(params.arguments));
    if (method === 'ui/notifications/tool-result') onToolResult(params);
    if (method === 'ui/notifications/tool-cancelled') onToolCancelled(textOf(params.reason));
    if (method === 'ui/notifications/host-context-changed') this.#changeContext(params);
  }

  #changeContext(changes: Fields): void {
    this.#context = { ...this.#context, ...changes };
    this.#events.onContext(this.#context);
  }
}
