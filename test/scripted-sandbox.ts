import type { ServerResponse } from 'node:http';
import {
  type ApiAnswer,
  errorAnswer,
  jsonHeaders,
  sendAnswer,
} from '../src/sandbox/sandbox-answer.ts';
import { newDocument } from '../src/sandbox/sandbox-document.ts';
import {
  type Interception,
  type Sandbox,
  type SandboxOptions,
  startSandbox,
} from '../src/sandbox/sandbox-server.ts';

/** A fault or a side effect. "The real answer" is the API's own. */
export type FaultAction =
  /** Answers with this status, not carried out; `body` is the error envelope by default. */
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: unknown }
  /** Answers with a login page, as a proxy would; not carried out; `status` is 200 by default. */
  | { kind: 'html'; status?: number }
  /** Sends the real answer's headers and half of its body, then cuts the connection. */
  | { kind: 'cut' }
  /** Sends the real answer one byte at a time. */
  | { kind: 'drip'; everyMs: number }
  /** Never answers; `carryOut` carries the request out all the same, after `afterMs` (0 by default). */
  | { kind: 'hang'; carryOut?: boolean; afterMs?: number }
  /** Resets the connection, before or after carrying out the request. */
  | { kind: 'reset'; when: 'before' | 'after' }
  /** Carries the request out at once, and delays the real answer. */
  | { kind: 'slow'; milliseconds: number }
  /** Answers with valid JSON of this many bytes (at least 26); not carried out. */
  | { kind: 'big'; bytes: number }
  /** Answers with JSON that never ends; not carried out. */
  | { kind: 'endless' }
  /** Answers with a 302 to this address; not carried out. */
  | { kind: 'redirect'; location: string }
  /** Sends the real answer with its body replaced by other JSON. */
  | { kind: 'rewrite'; rewrite: (body: unknown) => unknown }
  /** Answers with a list that never ends: made-up documents after the first page, or that page again. */
  | { kind: 'endlessPaging'; pages?: 'made-up' | 'repeated' }
  /** Runs a side effect, then sends the real answer. */
  | { kind: 'run'; run: () => void };

/** A fault and the requests that it applies to. */
export type Fault = {
  /** HTTP method in capitals; any by default. */
  method?: string;
  /** A pattern for the path with its query; any by default. */
  path?: RegExp;
  /** Number of matching requests to let through first; 0 by default. */
  skip?: number;
  /** Number of matching requests to act on after that; 1 by default, `Infinity` for all. */
  times?: number;
  action: FaultAction;
};

/** A sandbox whose requests can be made to fail. */
export type ScriptedSandbox = Sandbox & {
  /** Adds faults behind the existing ones. */
  script: (...faults: Fault[]) => void;
  /** Removes all faults. */
  clearFaults: () => void;
};

/** A fault that may still act, with the number of requests that remain. */
type ScriptedFault = { readonly fault: Fault; skip: number; times: number };

/** Starts a sandbox whose requests can be made to fail. */
export async function startScriptedSandbox(options: SandboxOptions = {}): Promise<ScriptedSandbox> {
  const script: ScriptedFault[] = [];
  const sandbox = await startSandbox({
    ...options,
    intercept: (interception) => {
      const { method, path } = interception.request;
      const action = nextAction(script, method, path);
      if (action !== undefined) act(action, interception);
      return action !== undefined;
    },
  });
  return {
    ...sandbox,
    script: (...added) => {
      for (const fault of added) {
        script.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
      }
    },
    clearFaults: () => {
      script.length = 0;
    },
  };
}

/** Counts a request, and returns the action of the first fault that matches and is not used up. */
function nextAction(
  script: readonly ScriptedFault[],
  method: string,
  path: string,
): FaultAction | undefined {
  for (const entry of script) {
    const { fault } = entry;
    const matches = (fault.method ?? method) === method && path.search(fault.path ?? '') >= 0;
    if (!matches || entry.times <= 0) continue;
    if (entry.skip > 0) {
      entry.skip -= 1;
      continue;
    }
    entry.times -= 1;
    return fault.action;
  }
  return undefined;
}

function act(action: FaultAction, { request, response, carryOut }: Interception): void {
  switch (action.kind) {
    case 'status': {
      request.status = action.status;
      const answer = errorAnswer(action.status, `Scripted fault: ${action.status}`);
      const body = 'body' in action ? action.body : answer.body;
      sendAnswer(response, { ...answer, body }, action.headers);
      return;
    }
    case 'html': {
      const page = '<!doctype html><title>Log in</title><form><input type="password"></form>';
      response.writeHead(action.status ?? 200, { 'content-type': 'text/html' }).end(page);
      return;
    }
    case 'cut': {
      const { status, body } = carryOut();
      const text = Buffer.from(JSON.stringify(body));
      response.writeHead(status, jsonHeaders(text));
      response.write(text.subarray(0, text.length / 2), () => response.destroy());
      return;
    }
    case 'drip':
      drip(response, carryOut(), action.everyMs);
      return;
    case 'hang':
      // The client may be gone by then, as if a proxy had held the request back.
      if (action.carryOut) setTimeout(carryOut, action.afterMs ?? 0).unref();
      return;
    case 'reset':
      if (action.when === 'after') carryOut();
      response.socket?.resetAndDestroy();
      return;
    case 'slow': {
      const answer = carryOut();
      const timer = setTimeout(() => sendAnswer(response, answer), action.milliseconds);
      clearWhenClosed(timer, response);
      return;
    }
    case 'big': {
      const padding = action.bytes - JSON.stringify({ data: [], message: '' }).length;
      sendAnswer(response, { status: 200, body: { data: [], message: ' '.repeat(padding) } });
      return;
    }
    case 'endless':
      pump(response);
      return;
    case 'redirect':
      sendAnswer(response, errorAnswer(302, 'Found'), { location: action.location });
      return;
    case 'rewrite': {
      const { status, body } = carryOut();
      sendAnswer(response, { status, body: action.rewrite(body) });
      return;
    }
    case 'endlessPaging':
      sendAnswer(response, endlessPage(request.path, action.pages ?? 'made-up', carryOut));
      return;
    case 'run':
      action.run();
      sendAnswer(response, carryOut());
      return;
  }
}

function drip(response: ServerResponse, { status, body }: ApiAnswer, everyMs: number): void {
  const text = Buffer.from(JSON.stringify(body));
  let sent = 0;
  response.writeHead(status, jsonHeaders(text));
  const timer = setInterval(() => {
    response.write(text.subarray(sent, sent + 1));
    sent += 1;
    if (sent < text.length) return;
    clearInterval(timer);
    response.end();
  }, everyMs);
  clearWhenClosed(timer, response);
}

/** Clears a timer once the response closes. It may already have closed: then no `close` follows. */
function clearWhenClosed(timer: NodeJS.Timeout, response: ServerResponse): void {
  if (response.destroyed) clearTimeout(timer);
  else response.once('close', () => clearTimeout(timer));
}

function pump(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.write('{"documents":[');
  const chunk = '{},'.repeat(5000);
  // `write` returns false while the client reads more slowly than this, and `drain` follows.
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
}

function endlessPage(
  path: string,
  pages: 'made-up' | 'repeated',
  carryOut: Interception['carryOut'],
): ApiAnswer {
  const url = new URL(path, 'http://sandbox');
  if (pages === 'made-up' && url.searchParams.has('cursor')) {
    const documents = Array.from({ length: 10 }, (_, index) =>
      newDocument('web', `https://endless.example/page-${index}`, 0),
    );
    return { status: 200, body: { documents, hasMore: true } };
  }
  url.searchParams.delete('cursor');
  const { status, body } = carryOut(`${url.pathname}${url.search}`);
  return { status, body: typeof body === 'object' ? { ...body, hasMore: true } : body };
}
