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

/** A fault, or something that happens besides. "The real answer" is the API's own. */
export type FaultAction =
  /** This status, not carried out; `body` is the error envelope unless given. */
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: unknown }
  /** A login page, as a proxy gives it; not carried out; `status` is 200 unless given. */
  | { kind: 'html'; status?: number }
  /** The real answer's headers and half of its body, then the connection is gone. */
  | { kind: 'cut' }
  /** The real answer, one byte at a time. */
  | { kind: 'drip'; everyMs: number }
  /** Never an answer; carried out only if told so, and so many milliseconds later (0). */
  | { kind: 'hang'; carryOut?: boolean; afterMs?: number }
  /** The connection reset, before carrying out or after. */
  | { kind: 'reset'; when: 'before' | 'after' }
  /** Carried out at once, the real answer's first byte late. */
  | { kind: 'slow'; milliseconds: number }
  /** Valid JSON of this many bytes (26 at the least); not carried out. */
  | { kind: 'big'; bytes: number }
  /** JSON that never ends; not carried out. */
  | { kind: 'endless' }
  /** A 302 to this address; not carried out. */
  | { kind: 'redirect'; location: string }
  /** The real answer with its body changed, to something that is JSON. */
  | { kind: 'rewrite'; rewrite: (body: unknown) => unknown }
  /** A list without end: after the first page made-up documents, or the first page repeated. */
  | { kind: 'endlessPaging'; pages?: 'made-up' | 'repeated' }
  /** A side effect, then the real answer. */
  | { kind: 'run'; run: () => void };

/** A fault and the requests it is for. */
export type Fault = {
  /** HTTP method in capitals; default any. */
  method?: string;
  /** Tested on the path with its query; default any. */
  path?: RegExp;
  /** Number of matching requests let through first; default 0. */
  skip?: number;
  /** Number of matching requests it acts on after that; default 1, `Infinity` for all. */
  times?: number;
  /** The fault itself. */
  action: FaultAction;
};

/** A sandbox whose requests can be made to fail. */
export type ScriptedSandbox = Sandbox & {
  /** Scripts faults, behind those already there. */
  script: (...faults: Fault[]) => void;
  /** Forgets all faults. */
  clearFaults: () => void;
};

/** A fault that may still act, and on how many requests. */
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
      // The client may be gone by then, as with a request that a proxy holds back.
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

/** A client may have gone before the timer was set: then `close` has been and does not come again. */
function clearWhenClosed(timer: NodeJS.Timeout, response: ServerResponse): void {
  if (response.destroyed) clearTimeout(timer);
  else response.once('close', () => clearTimeout(timer));
}

function pump(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
  response.write('{"documents":[');
  const chunk = '{},'.repeat(5000);
  // `write` says false when the client reads slower than this, and `drain` follows when it is ready.
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
