import type { Readable, Writable } from 'node:stream';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/server';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { fieldOf, readMessages, refusal, textFault } from './messages.ts';

/** Maximum length of a line in bytes. */
const LONGEST_LINE = 10 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** The streams to a client, and what to do once it has gone. */
export interface StdioOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Time for answers in progress after the input's end, in milliseconds. */
  readonly lastAnswersMs: number;
  readonly onEnd: () => void;
}

/**
 * A transport over lines of JSON. The SDK's own drops the answers in progress at the input's end, lets
 * requests that it cannot read go without an answer, and after a line that is too long it closes while
 * the process goes on.
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;

  readonly #options: StdioOptions;
  /** The IDs of requests that are not answered yet. */
  readonly #underWay = new Set<string | number>();
  /** The parts received so far of a line that has not ended. */
  #line: Buffer[] = [];
  #lineLength = 0;
  #isFirstLine = true;
  #isClosed = false;
  #drained: () => void = () => undefined;

  constructor(options: StdioOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { input, output } = this.#options;
    // Each answer that waits for a full pipe adds a listener.
    output.setMaxListeners(0);
    output.on('error', () => void this.close());
    input.on('data', (chunk: Buffer) => this.#take(chunk));
    input.on('error', (error) => this.onerror?.(error));
    input.once('close', () => void this.#finish());
    input.once('end', () => void this.#finish());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#isClosed) return;
    const { output } = this.#options;
    const isWritten = output.write(`${JSON.stringify(message)}\n`);
    if (!('method' in message) && message.id !== undefined) this.#settle(message.id);
    if (isWritten) return;
    await new Promise<void>((resolve) => {
      output.once('drain', resolve);
      output.once('close', resolve);
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#drained();
    this.onclose?.();
    this.#options.onEnd();
  }

  /** Waits for the answers in progress, which the client still reads, and closes. */
  async #finish(): Promise<void> {
    if (this.#underWay.size > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        setTimeout(resolve, this.#options.lastAnswersMs);
      });
    }
    await this.close();
  }

  #settle(id: string | number): void {
    this.#underWay.delete(id);
    if (this.#underWay.size === 0) this.#drained();
  }

  #take(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  /** Keeps a part of a line; if the line is too long, only its length. */
  #keep(part: Buffer): void {
    this.#lineLength += part.length;
    if (this.#lineLength > LONGEST_LINE) this.#line = [];
    else this.#line.push(part);
  }

  #endLine(): void {
    const isTooLong = this.#lineLength > LONGEST_LINE;
    const line = Buffer.concat(this.#line);
    const isFirst = this.#isFirstLine;
    this.#line = [];
    this.#lineLength = 0;
    this.#isFirstLine = false;
    if (isTooLong) {
      void this.send(refusal(`A message has ${LONGEST_LINE / 1024 / 1024} MB at most.`));
      return;
    }
    this.#read(line, isFirst);
  }

  #read(line: Buffer, isFirst: boolean): void {
    const text = line.toString('utf8');
    // Some clients on Windows start with a byte order mark.
    const message = (isFirst ? text.replace(/^\uFEFF/, '') : text).trim();
    if (message === '') return;
    let json: unknown;
    try {
      json = JSON.parse(message);
    } catch {
      void this.send(refusal('This line is not JSON.', { code: ProtocolErrorCode.ParseError }));
      return;
    }
    const fault = textFault(line);
    if (fault !== null) {
      void this.send(refusal(fault, { id: fieldOf(json, 'id') }));
      return;
    }
    for (const { message, refusal: answer } of readMessages(json)) {
      if (answer !== undefined) {
        void this.send(answer);
        continue;
      }
      if ('method' in message && 'id' in message) this.#underWay.add(message.id);
      if ('method' in message && message.method === 'notifications/cancelled') {
        // A cancelled request gets no answer.
        const { requestId } = message.params ?? {};
        if (typeof requestId === 'string' || typeof requestId === 'number') this.#settle(requestId);
      }
      this.onmessage?.(message);
    }
  }
}
