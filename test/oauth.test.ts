import { createHash, createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
  type OAuthDiscoveryState,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import fc from 'fast-check';
import { type CryptoKey, exportSPKI, importJWK, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readCommand } from '../src/command-line.ts';
import { createLog } from '../src/log.ts';
import { IssuerKeys, KeysUnavailable } from '../src/mcp/issuer-keys.ts';
import type { Sandbox } from '../src/sandbox/sandbox-server.ts';
import { Secrets } from '../src/secrets.ts';
import {
  environmentFor,
  eventually,
  readAnswer,
  Stops,
  startFiniOf,
  startHttp,
  startHttpProcess,
  startQuickSandbox,
} from './harness.ts';
import { type Issuer, makeKey, now, startIssuer, type TokenParts } from './issuer.ts';
import { type IdentityProvider, startProvider } from './provider.ts';
import { REPEATS, SEED } from './random.ts';
import { connectHttp, initialize, send } from './rpc.ts';

/* A server behind a sign-in: with an issuer that signs anything, and with a real provider. */

const PRM = '/.well-known/oauth-protected-resource';
const MODERN = '2026-07-28';

const stops = new Stops();
afterEach(() => stops.run());

/** Starts a server behind an issuer, in this process. */
async function start(environment: Record<string, string> = {}, flags: string[] = [], path = '') {
  const issuer = await startIssuer(stops, path);
  const settings = { FINI_MCP_OAUTH_ISSUER: issuer.url, ...environment };
  const server = await startHttp(stops, settings, ['--sandbox', ...flags]);
  return { issuer, ...server, token: (parts?: TokenParts) => issuer.token(server.url, parts) };
}

/** Starts a server between an issuer and a sandbox of its own, whose requests can be read. */
async function startBefore(sandbox: Sandbox, flags: string[] = []) {
  const issuer = await startIssuer(stops);
  const settings = { ...environmentFor(sandbox), FINI_MCP_OAUTH_ISSUER: issuer.url };
  const server = await startHttp(stops, settings, flags);
  return { issuer, ...server, token: (parts?: TokenParts) => issuer.token(server.url, parts) };
}

const READS = { claims: { scope: 'fini:read' } };
const toolCall = (name: string, input: object = {}, id: number | string = 1) => ({
  ...{ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: input } },
});
const challengeOf = ({ headers }: Awaited<ReturnType<typeof send>>) =>
  Object.fromEntries(
    [...(headers['www-authenticate'] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [
      name,
      value,
    ]),
  );

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('a token', () => {
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claimsFor = ({ url: iss }: Issuer, aud: string) => ({
    ...{ iss, aud, sub: 'olga', scope: 'fini:read', iat: now(), exp: now() + 300 },
  });
  type Make = (given: { issuer: Issuer; audience: string }) => string | Promise<string>;
  const of =
    (parts: TokenParts): Make =>
    ({ issuer, audience }) =>
      issuer.token(audience, parts);
  const claim = (claims: Record<string, unknown>) => of({ claims });

  test.each<[what: string, make: Make]>([
    ['as RFC 9068 has it', of({})],
    ['of type JWT', of({ header: { typ: 'JWT' } })],
    ['without a type', of({ header: { typ: undefined } })],
    [
      'for several audiences',
      async ({ issuer, audience }) =>
        issuer.token(audience, { claims: { aud: ['other', audience] } }),
    ],
    ['for the URL with a slash', async ({ issuer, audience }) => issuer.token(`${audience}/`)],
    ['that has just expired on another clock', claim({ exp: now() - 30 })],
    ['with scopes in scp', claim({ scope: undefined, scp: ['fini:read'] })],
    [
      'that names no key',
      async ({ issuer, audience }) =>
        issuer.token(audience, { key: issuer.keys[1], header: { kid: undefined } }),
    ],
  ])('%s is let in', async (_what, make) => {
    const { issuer, url } = await start();
    issuer.keys.push(await makeKey('second'));
    const token = await make({ issuer, audience: url });
    const answer = await send(url, { body: initialize, headers: bearer(token) });
    expect(answer).toMatchObject({ status: 200 });
  });

  test('is refused with its reason, whatever is wrong with it', async () => {
    const { issuer, url, stderr } = await start();
    const stranger = await makeKey('first');
    const table: [what: string, make: Make, status: number, error: string, reason: RegExp][] = [
      ['expired', claim({ exp: now() - 120 }), 401, 'invalid_token', /has expired/],
      [
        'other audience',
        claim({ aud: 'https://other.example/mcp' }),
        401,
        'invalid_token',
        /another audience/,
      ],
      ['no audience', claim({ aud: undefined }), 401, 'invalid_token', /has no aud/],
      [
        'other issuer',
        claim({ iss: 'https://other.example' }),
        401,
        'invalid_token',
        /another issuer/,
      ],
      ['no issuer', claim({ iss: undefined }), 401, 'invalid_token', /has no iss/],
      ['not valid yet', claim({ nbf: now() + 120 }), 401, 'invalid_token', /not valid yet/],
      ['issued in the future', claim({ iat: now() + 120 }), 401, 'invalid_token', /in the future/],
      ['no expiry', claim({ exp: undefined }), 401, 'invalid_token', /has no exp/],
      [
        'an expiry as text',
        claim({ exp: 'never' }),
        401,
        'invalid_token',
        /no exp that can be read/,
      ],
      ['no subject', claim({ sub: undefined }), 401, 'invalid_token', /has no sub/],
      ['an empty subject', claim({ sub: '' }), 401, 'invalid_token', /no sub that can be read/],
      [
        'a subject that is none',
        claim({ sub: { a: 1 } }),
        401,
        'invalid_token',
        /no sub that can be read/,
      ],
      [
        'no scope',
        claim({ scope: undefined }),
        403,
        'insufficient_scope',
        /lacks the scope fini:read/,
      ],
      [
        'only another scope',
        claim({ scope: 'fini:readx openid' }),
        403,
        'insufficient_scope',
        /lacks the scope/,
      ],
      ['a scope that is none', claim({ scope: 7 }), 403, 'insufficient_scope', /lacks the scope/],
      [
        'wrong key under a right name',
        of({ key: stranger }),
        401,
        'invalid_token',
        /signature .* is wrong/,
      ],
      [
        'a key that it brings itself',
        of({ key: stranger, header: { jwk: stranger.publicJwk, jku: 'https://evil.example' } }),
        ...([401, 'invalid_token', /signature .* is wrong/] as const),
      ],
      [
        'an unknown key',
        of({ key: await makeKey('unknown') }),
        401,
        'invalid_token',
        /does not publish/,
      ],
      [
        'a logout token',
        of({ header: { typ: 'logout+jwt' } }),
        401,
        'invalid_token',
        /another type/,
      ],
      ['an ID token', claim({ at_hash: 'x', nonce: 'y' }), 401, 'invalid_token', /ID token/],
      ['an ID token of Keycloak', claim({ typ: 'ID' }), 401, 'invalid_token', /ID token/],
      ['bound to a key', claim({ cnf: { jkt: 'x' } }), 401, 'invalid_token', /bound to a key/],
      [
        'not signed (none)',
        ({ audience }) =>
          `${base64({ alg: 'none', typ: 'at+jwt' })}.${base64(claimsFor(issuer, audience))}.`,
        ...([401, 'invalid_token', /not signed/] as const),
      ],
      [
        'HMAC with the public key as its secret',
        async ({ audience }) => {
          const jwk = issuer.keys[0]?.publicJwk ?? {};
          const spki = await exportSPKI((await importJWK(jwk, 'ES256')) as CryptoKey);
          const secret = createPublicKey(spki).export({ type: 'spki', format: 'pem' });
          const head = base64({ alg: 'HS256', kid: 'first', typ: 'at+jwt' });
          const signed = `${head}.${base64(claimsFor(issuer, audience))}`;
          return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
        },
        ...([401, 'invalid_token', /not signed with an algorithm/] as const),
      ],
      [
        'claims that were changed',
        async ({ audience }) => {
          const [head, , signature] = (await issuer.token(audience)).split('.');
          return `${head}.${base64({ ...claimsFor(issuer, audience), sub: 'bob' })}.${signature}`;
        },
        ...([401, 'invalid_token', /signature .* is wrong/] as const),
      ],
      [
        'critical extensions',
        () => `${base64({ alg: 'ES256', kid: 'first', crit: ['x'], x: 1 })}.e30.AAAA`,
        ...([401, 'invalid_token', /not a signed JWT/] as const),
      ],
      ['encrypted', () => 'eyJhbGciOiJkaXIifQ..a.b.c', 401, 'invalid_token', /not a signed JWT/],
      ['opaque', () => '0123456789abcdef', 401, 'invalid_token', /not a signed JWT/],
      ['dots', () => '...', 401, 'invalid_token', /not a signed JWT/],
      ['two words', () => 'a b', 401, 'invalid_token', /malformed/],
      ['a variable', () => '{env:TOKEN}', 401, 'invalid_token', /an unexpanded variable/],
      ['nothing', () => '', 401, 'invalid_token', /malformed/],
      ['huge', () => 'x'.repeat(15_000), 401, 'invalid_token', /not a signed JWT/],
    ];
    for (const [what, make, status, error, reason] of table) {
      // The issuer signs anything that jose does not refuse to sign.
      const token = await Promise.resolve(make({ issuer, audience: url }));
      const answer = await send(url, { body: initialize, headers: bearer(token) });
      expect(answer.status, what).toBe(status);
      const challenge = answer.headers['www-authenticate'] ?? '';
      expect(challenge, what).toContain(`error="${error}"`);
      expect(/error_description="([^"]*)"/.exec(challenge)?.[1], what).toMatch(reason);
      expect(JSON.parse(answer.text).error.message, what).toMatch(reason);
      // The log names the reason too, since clients seldom show it to the person who sets up the sign-in.
      await eventually(() => {
        const line = JSON.parse(stderr().trim().split('\n').at(-1) ?? '');
        expect([line.status, line.refused], what).toEqual([status, expect.stringMatching(reason)]);
      });
    }
    // A key that no one publishes is looked for, but not again for each token.
    expect(issuer.requests.filter((path) => path === '/jwks').length).toBeLessThanOrEqual(2);
  });
});

describe('without a token that will do', () => {
  test('a client learns where to get one, and a page of an allowed origin can read that', async () => {
    const { issuer, url } = await start({}, ['--allowed-origin', 'https://app.example']);
    const { origin } = new URL(url);
    const expected = {
      ...{ realm: 'fini-mcp', scope: 'fini:read fini:write' },
      resource_metadata: `${origin}${PRM}/mcp`,
    };
    for (const authorization of [undefined, 'Basic YTpi', 'Bearerx', 'DPoP abc', '']) {
      const headers = { origin: 'https://app.example', authorization };
      const answer = await send(url, { body: initialize, headers });
      expect(answer.status).toBe(401);
      expect(challengeOf(answer)).toEqual(expected);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.example',
        'access-control-expose-headers': expect.stringContaining('www-authenticate'),
      });
      expect(answer.text).toContain(issuer.url);
    }
    const wrong = await send(url, { body: initialize, headers: bearer('a.b.c') });
    expect(challengeOf(wrong)).toMatchObject({ ...expected, error: 'invalid_token' });
    for (const path of ['/mcp?access_token=', '/mcp/?access_token=']) {
      const token = await issuer.token(url);
      expect(await send(url, { path: `${path}${token}`, body: initialize })).toMatchObject({
        status: 401,
      });
    }
    for (const method of ['GET', 'DELETE', 'PUT']) {
      expect(await send(url, { method })).toMatchObject({ status: 401 });
    }
    // Only a token makes the server fetch keys.
    expect(issuer.requests).toEqual([]);
  });

  test.each([
    ['its own address', [], PRM, undefined],
    ['its own address, with its path', [], `${PRM}/mcp`, undefined],
    [
      'a public URL',
      ['--public-url', 'https://team.example/fini/mcp/'],
      `${PRM}/fini/mcp`,
      'https://team.example/fini/mcp',
    ],
    [
      'a public URL behind a proxy that cuts its path',
      ['--public-url', 'https://Team.example/fini'],
      `${PRM}/mcp`,
      'https://team.example/fini',
    ],
    [
      'a public URL without a path',
      ['--public-url', 'https://team.example'],
      PRM,
      'https://team.example',
    ],
  ])('the metadata of %s can be read by anybody', async (_what, flags, path, resource) => {
    const { issuer, url } = await start({}, flags);
    const headers = { origin: 'https://anywhere.example', 'mcp-protocol-version': '2025-11-25' };
    const answer = await send(url, { method: 'GET', path, headers });
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(JSON.parse(answer.text)).toEqual({
      resource: resource ?? url,
      authorization_servers: [issuer.url],
      scopes_supported: ['fini:read', 'fini:write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Fini',
    });
    const preflight = await send(url, { method: 'OPTIONS', path, headers });
    expect([preflight.status, preflight.headers['access-control-allow-headers']]).toEqual([
      204,
      '*',
    ]);
    expect((await send(url, { method: 'HEAD', path })).status).toBe(200);
    expect((await send(url, { method: 'POST', path, body: {} })).status).toBe(405);
    const token = await issuer.token(resource ?? url);
    const { host, pathname } = new URL(resource ?? url);
    const given = { body: initialize, headers: { ...bearer(token), host } };
    // At the path that clients know, too, for a proxy that does not cut it.
    for (const at of ['/mcp', pathname, `${pathname}/`]) {
      expect(await send(url, { ...given, path: at })).toMatchObject({ status: 200 });
    }
  });

  test('a sign-in of the server itself is looked for in vain, and the answer says where it is', async () => {
    const { issuer, url } = await start();
    for (const path of ['/register', '/authorize', '/.well-known/oauth-authorization-server']) {
      const { status, text } = await send(url, { method: 'GET', path });
      expect([status, text]).toEqual([404, expect.stringContaining(`that is at ${issuer.url}`)]);
    }
    expect((await send(url, { method: 'GET', path: '/healthz' })).status).toBe(200);
  });

  test('a server that only reads asks for no more than that', async () => {
    const { url } = await start({}, ['--read-only']);
    expect(challengeOf(await send(url, { body: initialize }))).toMatchObject({
      scope: 'fini:read',
    });
    const { text } = await send(url, { method: 'GET', path: PRM });
    expect(JSON.parse(text).scopes_supported).toEqual(['fini:read']);
  });
});

describe('the settings', () => {
  const ISSUER = { FINI_MCP_OAUTH_ISSUER: 'https://id.example/' };
  const TOKEN = { FINI_MCP_AUTH_TOKEN: '0123456789abcdef' };
  test.each<[argv: string[], environment: Record<string, string>, fault: RegExp | null]>([
    [['--http'], ISSUER, null],
    [['--http'], { FINI_MCP_OAUTH_ISSUER: 'http://localhost:8080/realms/team' }, null],
    [[], ISSUER, /^FINI_MCP_OAUTH_ISSUER needs --http/],
    [
      ['--http'],
      { ...ISSUER, ...TOKEN },
      /^FINI_MCP_AUTH_TOKEN and FINI_MCP_OAUTH_ISSUER exclude each other/,
    ],
    [
      ['--http'],
      { FINI_MCP_OAUTH_ISSUER: 'http://id.example' },
      /^FINI_MCP_OAUTH_ISSUER must be https/,
    ],
    [['--http'], { FINI_MCP_OAUTH_ISSUER: 'id.example' }, /^FINI_MCP_OAUTH_ISSUER is not a URL/],
    [
      ['--http'],
      { FINI_MCP_OAUTH_AUDIENCE: 'fini' },
      /^FINI_MCP_OAUTH_AUDIENCE needs FINI_MCP_OAUTH_ISSUER/,
    ],
    [
      ['--http', '--host', '0.0.0.0'],
      ISSUER,
      /proxy with TLS in front, and set --public-url to its https URL/,
    ],
    [
      ['--http', '--host', '0.0.0.0', '--public-url', 'http://localhost:3333/mcp'],
      ISSUER,
      /proxy with TLS/,
    ],
    [['--http', '--host', '0.0.0.0', '--public-url', 'https://a.example/mcp'], ISSUER, null],
    [
      ['--http', '--host', '0.0.0.0'],
      { ...ISSUER, FINI_MCP_PUBLIC_URL: 'https://a.example/mcp' },
      null,
    ],
    [['--http', '--public-url', 'http://a.example/mcp'], ISSUER, /^--public-url must be https/],
    [
      ['--http', '--public-url', 'https://a.example/mcp?x=1'],
      ISSUER,
      /^--public-url must not have a query/,
    ],
    [['--public-url', 'https://a.example/mcp'], {}, /^--public-url needs --http/],
    // Behind a proxy on the same machine, loopback does not protect the server.
    [
      ['--http', '--public-url', 'https://a.example/mcp'],
      {},
      /^--public-url "https:\/\/a\.example\/mcp" can be reached from other machines, so FINI_MCP_AUTH_TOKEN must be set/,
    ],
    [['--http', '--public-url', 'https://a.example/mcp'], TOKEN, null],
    [['--http', '--public-url', 'http://localhost:8080/mcp'], {}, null],
    [
      ['--http'],
      { ...ISSUER, FINI_MCP_OAUTH_READ_SCOPE: 'a b' },
      /^FINI_MCP_OAUTH_READ_SCOPE must be one scope/,
    ],
    [
      ['--http'],
      { ...ISSUER, FINI_MCP_OAUTH_AUDIENCE: ' , ' },
      /^FINI_MCP_OAUTH_AUDIENCE names no/,
    ],
    [
      ['--http'],
      { ...ISSUER, FINI_MCP_OAUTH_SCOPE_PREFIX: 'api://"app"/' },
      /^FINI_MCP_OAUTH_SCOPE_PREFIX must be the beginning of a scope/,
    ],
    [
      ['--http', '--host', '0.0.0.0'],
      {},
      /so FINI_MCP_AUTH_TOKEN must be set \(or FINI_MCP_OAUTH_ISSUER\)/,
    ],
  ])('%j with %j', (argv, environment, fault) => {
    const command = readCommand(argv, environment);
    const faults = command.kind === 'faults' ? command.faults : [];
    if (fault === null) expect(faults).toEqual([]);
    else expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  test('scopes and the audience can be named otherwise', async () => {
    const { issuer, url } = await start({
      FINI_MCP_OAUTH_AUDIENCE: 'api://fini',
      FINI_MCP_OAUTH_READ_SCOPE: 'docs.read',
      FINI_MCP_OAUTH_WRITE_SCOPE: 'docs.write',
    });
    const statusOf = async (audience: string, scope: string) => {
      const headers = bearer(await issuer.token(audience, { claims: { scope } }));
      return (await send(url, { body: initialize, headers })).status;
    };
    expect(await statusOf('api://fini', 'docs.read')).toBe(200);
    expect(await statusOf('api://fini', 'fini:read')).toBe(403);
    expect(await statusOf(url, 'docs.read')).toBe(401);
  });

  test('a token can be for one of several audiences', async () => {
    const audiences = ['api://fini', '0c9d8e7f-6a51', 'https://b.example/mcp'];
    const { issuer, url } = await start({ FINI_MCP_OAUTH_AUDIENCE: `${audiences.join(', ')},` });
    const statusOf = async (aud: string | string[]) => {
      const headers = bearer(await issuer.token('', { claims: { aud } }));
      return (await send(url, { body: initialize, headers })).status;
    };
    for (const audience of audiences) {
      expect(await statusOf(audience)).toBe(200);
      expect(await statusOf(['another', audience])).toBe(200);
    }
    for (const audience of ['another', ['another', url], [], audiences.join(', '), '']) {
      expect(await statusOf(audience)).toBe(401);
    }
  });

  test('clients can be told to ask for scopes by a longer name than a token has', async () => {
    const { issuer, url } = await start({ FINI_MCP_OAUTH_SCOPE_PREFIX: 'api://app/' });
    const { text } = await send(url, { method: 'GET', path: PRM });
    const asked = ['api://app/fini:read', 'api://app/fini:write'];
    expect(JSON.parse(text).scopes_supported).toEqual(asked);
    const answerTo = async (scp: string) => {
      const claims = { scope: undefined, scp };
      const headers = bearer(await issuer.token(url, { claims }));
      return send(url, { body: toolCall('refresh_sources', { documentIds: ['a'] }), headers });
    };
    for (const scp of ['openid', 'fini:read']) {
      const answer = await answerTo(scp);
      expect(answer.status).toBe(403);
      expect(challengeOf(answer)).toMatchObject({ scope: asked.join(' ') });
    }
    expect((await answerTo('fini:read fini:write')).status).toBe(200);
  });
});

describe('without the write scope', () => {
  const WRITES = /ingest_and_wait|delete_sources|generate_knowledge/;

  test.each(['2025', MODERN])(
    'a client of %s is shown the readers only, in words that are true of it',
    async (era) => {
      const { url, token } = await start();
      const headers = bearer(await token(READS));
      const client = new ClientV2(
        { name: 'test', version: '1' },
        { versionNegotiation: { mode: era === MODERN ? { pin: MODERN } : 'legacy' } },
      );
      await client.connect(new HttpV2(new URL(url), { requestInit: { headers } }));
      stops.use(client);
      const names = (await client.listTools()).tools.map(({ name }) => name);
      expect(names).toContain('list_sources');
      expect(names.join()).not.toMatch(WRITES);
      const { text, isError } = readAnswer(
        await client.callTool({ name: 'list_sources', arguments: {} }),
      );
      expect([text, isError]).toEqual([expect.stringMatching(/source/), false]);
      const instructions = client.getInstructions() ?? '';
      expect(instructions).toMatch(/lacks the scope fini:write: it cannot ingest/);
      expect(instructions).toMatch(/sign in again with that scope/);
      expect(instructions).not.toMatch(/--read-only|--allow|was started/);
      const { text: off } = readAnswer(await client.callTool({ name: 'ingest', arguments: {} }));
      expect(off).not.toMatch(/--read-only/);
    },
  );

  test('a call of a tool that writes is answered with what it needs, in a batch too', async () => {
    const { url, token } = await start();
    const reader = bearer(await token(READS));
    const writer = bearer(await token());
    const both = [toolCall('list_sources', {}, 1), toolCall('ingest_sources', {}, 'two')];
    for (const body of [toolCall('ingest_sources', {}, 'two'), both]) {
      const answer = await send(url, { body, headers: reader });
      expect(answer.status).toBe(403);
      expect(challengeOf(answer)).toMatchObject({
        ...{ error: 'insufficient_scope', scope: 'fini:read fini:write' },
        error_description: 'ingest_sources needs the scope fini:write.',
      });
      expect(JSON.parse(answer.text)).toMatchObject({ id: 'two' });
      // With the scope, the request passes this check.
      expect((await send(url, { body, headers: writer })).status).not.toBe(403);
    }
  });

  test('a tool that no scope would bring is off because of how the server was started', async () => {
    const { url, token } = await start({}, ['--tools', 'sources']);
    const headers = bearer(await token(READS));
    const { call } = await connectHttp(url, { headers });
    for (const [name, reason] of [
      [
        'delete_sources',
        /started without --allow-delete, and the access token of this client lacks the scope fini:write\. .*with --allow-delete, and the client must sign in again/,
      ],
      ['generate_knowledge', /started with --tools sources, and the access token/],
      [
        'ingest-sources',
        /ingest_sources is off: the access token of this client lacks the scope fini:write\. If the person wants it, say that the client must sign in again with that scope\.$/,
      ],
    ] as const) {
      const { result } = await call(name);
      expect(result.content[0].text).toMatch(reason);
    }
  });
});

test('the rights of each request are those of its own token', async () => {
  const { url, token } = await start();
  const names = async (headers: Record<string, string>) => {
    const body = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const { status, text } = await send(url, { body, headers });
    return [status, text.includes('ingest_and_wait')];
  };
  const [writer, reader] = [bearer(await token()), bearer(await token(READS))];
  // Another client's session ID opens nothing.
  const session = { 'mcp-session-id': '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51' };
  expect(await names(writer)).toEqual([200, true]);
  expect(await names({ ...reader, ...session })).toEqual([200, false]);
  expect(await names(writer)).toEqual([200, true]);
  expect(await names(session)).toEqual([401, false]);
});

test('a token goes to nobody: not to Fini, not into the log, and not into an answer', async () => {
  const sandbox = stops.use(await startQuickSandbox());
  const before = await startBefore(sandbox, ['--log-level', 'debug']);
  const { token, stderr } = before;
  const secret = await token();
  const [head = '', payload = '', signature = ''] = secret.split('.');
  const headers = bearer(secret);
  const { call } = await connectHttp(before.url, { headers });
  // A client that passes the token as a source gets an answer without it.
  const page = `https://a.example/${secret}`;
  const answers = [
    await call('ingest_and_wait', { documentIdsToAdd: [page] }),
    await call('ingest_and_wait', { documentIdsToAdd: [secret, 'x'] }),
    await call(secret),
    await call('get_source', { id: secret }),
  ];
  const meta = {
    'io.modelcontextprotocol/protocolVersion': MODERN,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  };
  const params = { name: 'list_sources', arguments: { originalUrl: page }, _meta: meta };
  const modern = await send(before.url, {
    body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    headers: {
      ...{ ...headers, 'mcp-protocol-version': MODERN },
      ...{ 'mcp-method': 'tools/call', 'mcp-name': 'list_sources' },
    },
  });
  expect(modern).toMatchObject({ status: 200, text: expect.stringContaining('[secret]') });
  for (const path of [`/mcp/${secret}`, `/${secret}`, `/mcp?a=${secret}`]) {
    await send(before.url, { path, body: toolCall(secret), headers });
  }
  const said = JSON.stringify(answers) + modern.text;
  expect(said).toContain('https://a.example/[secret]');
  // The answer may quote the beginning of a refused value, which opens nothing.
  expect(said).not.toContain(signature);
  for (const part of [head, payload.slice(0, 20), signature.slice(0, 20)]) {
    expect(stderr()).not.toContain(part);
  }
  expect(stderr()).not.toContain('olga');
  // docs/team.md describes this form.
  const subject = createHash('sha256')
    .update(`${before.issuer.url} olga`)
    .digest('hex')
    .slice(0, 8);
  expect(stderr()).toContain(`"subject":"${subject}"`);
  const received: string[] = [];
  const fini = createHttpServer((request, response) => {
    received.push(request.rawHeaders.join(' '));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  stops.add(() => fini.close());
  stops.add(() => fini.closeAllConnections());
  await once(fini, 'listening');
  const address = fini.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const issuer = await startIssuer(stops);
  const environment = { FINI_API_KEY: 'fini_of_the_server', FINI_MCP_OAUTH_ISSUER: issuer.url };
  const { url } = await startHttp(stops, {
    ...environment,
    FINI_BASE_URL: `http://127.0.0.1:${port}`,
  });
  const client = await connectHttp(url, { headers: bearer(await issuer.token(url)) });
  await client.call('list_sources');
  expect(received.join()).toContain('Bearer fini_of_the_server');
  expect(received.join()).not.toContain('eyJ');
});

/** The header of a token signed with the issuer's first key. */
const FIRST = { alg: 'ES256', kid: 'first' };

describe('the keys of the issuer', () => {
  test('are found where either standard has them, for an issuer with a path too', async () => {
    const { issuer, url } = await start({}, [], '/realms/team');
    const origin = new URL(issuer.url).origin;
    const statusOf = async () => {
      const headers = bearer(await issuer.token(url));
      return (await send(url, { body: initialize, headers })).status;
    };
    expect(await statusOf()).toBe(200);
    expect(issuer.requests).toEqual([
      '/.well-known/oauth-authorization-server/realms/team',
      '/.well-known/openid-configuration/realms/team',
      '/jwks',
    ]);
    const metadata = { issuer: issuer.url, jwks_uri: `${origin}/jwks` };
    for (const path of [
      '/.well-known/oauth-authorization-server/realms/team',
      '/realms/team/.well-known/openid-configuration',
    ]) {
      issuer.answers.set('/.well-known/openid-configuration/realms/team', 'no JSON');
      issuer.answers.set(path, metadata);
      const keys = keysOf(issuer);
      await keys.find(FIRST);
      issuer.answers.clear();
    }
  });

  test('are looked up again once a token names another, and at once', async () => {
    const { issuer, url, token } = await start();
    const statusOf = async (parts?: TokenParts) => {
      const headers = bearer(await token(parts));
      return (await send(url, { body: initialize, headers })).status;
    };
    const [old] = issuer.keys;
    const next = await makeKey('next');
    expect(await statusOf()).toBe(200);
    issuer.keys.splice(0, 1, next);
    // Many requests at once fetch the keys once.
    issuer.requests.splice(0);
    const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf()));
    expect(statuses).toEqual(Array(20).fill(200));
    expect(issuer.requests.filter((path) => path === '/jwks')).toHaveLength(1);
    // A key that the issuer has withdrawn is no longer valid.
    expect(await statusOf(old === undefined ? {} : { key: old })).toBe(401);
  });

  test('that are known serve on while the provider is gone, and without any it is said what is missing', async () => {
    const { issuer, url, token, stderr } = await start();
    issuer.isGone = true;
    const headers = bearer(await token());
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(url, { body: initialize, headers })),
    );
    for (const { status, headers: given, text } of answers) {
      expect([status, given['retry-after']]).toEqual([503, '5']);
      expect(text).toContain(`identity provider ${issuer.url} cannot be read now`);
    }
    expect(stderr().match(/provider's keys could not be read/g)).toHaveLength(1);
    expect(issuer.requests.length).toBeLessThanOrEqual(3);
    issuer.isGone = false;
    await eventually(async () =>
      expect((await send(url, { body: initialize, headers })).status).toBe(200),
    );
    issuer.isGone = true;
    expect((await send(url, { body: initialize, headers })).status).toBe(200);
    // The key may be the provider's newest, but the provider cannot be asked.
    const unknown = bearer(await token({ key: await makeKey('unknown') }));
    expect((await send(url, { body: initialize, headers: unknown })).status).toBe(503);
    expect((await send(url, { body: initialize, headers })).status).toBe(200);
  });

  /** Makes the key store by itself, with a clock that the test sets. */
  function keysOf(issuer: Issuer, clock = { ms: 0 }, lines: string[] = []) {
    const log = createLog('info', new Secrets(), (line) => lines.push(line));
    return new IssuerKeys({ issuer: issuer.url, proxy: {}, log, now: () => clock.ms });
  }

  const MINUTE = 60_000;

  test('are read again after ten minutes, and used for a day at most without it', async () => {
    const issuer = await startIssuer(stops);
    const clock = { ms: 0 };
    const lines: string[] = [];
    const keys = keysOf(issuer, clock, lines);
    const reads = () => issuer.requests.filter((path) => path === '/jwks').length;
    await keys.find(FIRST);
    clock.ms = 9 * MINUTE;
    await keys.find(FIRST);
    expect(reads()).toBe(1);
    clock.ms = 11 * MINUTE;
    issuer.keys.push(await makeKey('second'));
    await keys.find(FIRST);
    // This key came with the read that is under way, or has ended.
    await keys.find({ ...FIRST, kid: 'second' });
    expect(reads()).toBe(2);
    issuer.isGone = true;
    clock.ms = 23 * 60 * MINUTE;
    await keys.find(FIRST);
    await eventually(() => expect(lines).toHaveLength(1));
    const asked = issuer.requests.length;
    await keys.find(FIRST);
    expect(issuer.requests.length).toBe(asked);
    clock.ms += 2 * 60 * MINUTE;
    await expect(keys.find(FIRST)).rejects.toThrow(KeysUnavailable);
    issuer.isGone = false;
    clock.ms += MINUTE;
    await keys.find(FIRST);
  });

  test('that are known make nobody wait for a provider that has stopped answering', async () => {
    const issuer = await startIssuer(stops);
    const clock = { ms: 0 };
    const keys = keysOf(issuer, clock);
    await keys.find(FIRST);
    clock.ms = 11 * MINUTE;
    issuer.isSilent = true;
    const asked = issuer.requests.length;
    const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'late'));
    expect(await Promise.race([keys.find(FIRST), late])).not.toBe('late');
    await eventually(() => expect(issuer.requests.length).toBeGreaterThan(asked));
    expect(await Promise.race([keys.find(FIRST), late])).not.toBe('late');
  });

  test('that cannot be read are told of once a minute', async () => {
    const issuer = await startIssuer(stops);
    issuer.isGone = true;
    const clock = { ms: 0 };
    const lines: string[] = [];
    const keys = keysOf(issuer, clock, lines);
    for (const second of [0, 5, 10, 59, 61, 65]) {
      clock.ms = second * 1000;
      await expect(keys.find(FIRST)).rejects.toThrow(KeysUnavailable);
    }
    expect(issuer.requests.length).toBeGreaterThan(6);
    expect(lines).toHaveLength(2);
  });

  test('are not looked up for every key that somebody makes up', async () => {
    const issuer = await startIssuer(stops);
    const clock = { ms: 0 };
    const keys = keysOf(issuer, clock);
    await keys.find(FIRST);
    const reads = () => issuer.requests.filter((path) => path === '/jwks').length;
    for (let second = 0; second < 30; second += 1) {
      clock.ms = second * 1000;
      await expect(keys.find({ alg: 'ES256', kid: `made-up-${second}` })).rejects.toThrow();
    }
    expect(reads()).toBe(1 + 3);
  });

  test.each<[what: string, path: string, answer: unknown, logged: RegExp]>([
    [
      'another issuer',
      '/.well-known/openid-configuration',
      { issuer: 'https://other.example', jwks_uri: 'https://other.example/jwks' },
      /the issuer is .*other\.example.* set it to exactly that/,
    ],
    [
      'keys over plain http',
      '/.well-known/openid-configuration',
      { issuer: 'SELF', jwks_uri: 'http://other.example/jwks' },
      /jwks_uri is no https URL/,
    ],
    [
      'keys over ftp',
      '/.well-known/openid-configuration',
      { issuer: 'SELF', jwks_uri: 'ftp://127.0.0.1/jwks' },
      /jwks_uri is no https URL/,
    ],
    ['no JSON', '/jwks', '<html>', /is not valid JSON/],
    ['no keys', '/jwks', { keys: [] }, /no public key/],
    [
      'a shared key',
      '/jwks',
      { keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'first' }] },
      /no public key/,
    ],
    ['a megabyte', '/jwks', `[${'1,'.repeat(600_000)}1]`, /too large/],
  ])('are not taken from %s', async (_what, path, answer, logged) => {
    const issuer = await startIssuer(stops);
    const json = JSON.stringify(answer).replace('SELF', issuer.url);
    issuer.answers.set(path, typeof answer === 'string' ? answer : JSON.parse(json));
    const lines: string[] = [];
    await expect(keysOf(issuer, undefined, lines).find(FIRST)).rejects.toThrow(KeysUnavailable);
    expect(lines.join()).toMatch(logged);
  });

  test('are not taken from this machine for an issuer that is elsewhere', async () => {
    const issuer = await startIssuer(stops);
    const { port } = new URL(issuer.url);
    // The proxy leads every connection to the issuer on this machine.
    const proxy = createHttpServer().on('connect', (_request, socket) => {
      const tunnel = connect(Number(port), '127.0.0.1');
      for (const end of [socket, tunnel]) end.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(tunnel).pipe(socket);
      stops.add(() => tunnel.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    stops.add(() => proxy.close());
    await once(proxy, 'listening');
    const address = proxy.address();
    const httpProxy = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    const elsewhere = 'http://id.example';
    issuer.answers.set('/.well-known/openid-configuration', {
      ...{ issuer: elsewhere, jwks_uri: `${issuer.url}/jwks` },
    });
    const lines: string[] = [];
    const log = createLog('info', new Secrets(), (line) => lines.push(line));
    const keys = new IssuerKeys({ issuer: elsewhere, proxy: { httpProxy }, log });
    await expect(keys.find(FIRST)).rejects.toThrow(KeysUnavailable);
    expect(lines.join()).toMatch(/jwks_uri is no https URL/);
    expect(issuer.requests).not.toContain('/jwks');
  });

  test.each<[what: string, members: Record<string, unknown>]>([
    ['null', { use: null, alg: null, key_ops: null, ext: null, x5c: null }],
    ['empty', { use: '', alg: '', key_ops: [], x5c: [], x5t: '' }],
  ])('count members that are %s as left out', async (_what, members) => {
    const { issuer, url, token } = await start();
    issuer.answers.set('/jwks', { keys: [{ ...issuer.keys[0]?.publicJwk, ...members }] });
    const headers = bearer(await token());
    expect(await send(url, { body: initialize, headers })).toMatchObject({ status: 200 });
  });

  test('are read after a byte order mark, as their address is', async () => {
    const { issuer, url, token } = await start();
    const { url: itself, answers, keys } = issuer;
    const metadata = { issuer: itself, jwks_uri: `${itself}/jwks` };
    answers.set('/.well-known/openid-configuration', `\uFEFF${JSON.stringify(metadata)}`);
    const set = { keys: keys.map(({ publicJwk }) => publicJwk) };
    answers.set('/jwks', `\uFEFF${JSON.stringify(set)}`);
    const headers = bearer(await token());
    expect(await send(url, { body: initialize, headers })).toMatchObject({ status: 200 });
  });

  test('are not asked for through a proxy that is none, and the log says so', async () => {
    const issuer = await startIssuer(stops);
    const lines: string[] = [];
    const log = createLog('info', new Secrets(), (line) => lines.push(line));
    // The address of the keys is only known once the issuer has been asked.
    issuer.answers.set('/.well-known/openid-configuration', {
      ...{ issuer: issuer.url, jwks_uri: 'https://keys.example/jwks' },
    });
    const proxy = { httpsProxy: 'socks5h://me:secret-word@127.0.0.1:1' };
    const keys = new IssuerKeys({ issuer: issuer.url, proxy, log });
    await expect(keys.find(FIRST)).rejects.toThrow(KeysUnavailable);
    expect(lines.join()).toContain('HTTPS_PROXY is not the URL of an HTTP proxy');
    expect(lines.join()).not.toContain('secret-word');
  });

  test('that this Node.js cannot use keep no token from the one that signed it', async () => {
    const { issuer, url } = await start();
    const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength });
    const [weak, strong] = [rsa(1024), rsa(2048)];
    issuer.answers.set('/jwks', {
      keys: [weak, strong].map(({ publicKey }) => publicKey.export({ format: 'jwk' })),
    });
    const claims = { iss: issuer.url, aud: url, sub: 'olga', scope: 'fini:read', exp: now() + 300 };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256' })
      .sign(strong.privateKey);
    const answer = await send(url, { body: initialize, headers: bearer(token) });
    expect(answer).toMatchObject({ status: 200 });
  });

  test('that cannot be used refuse a token, as a key that is wrong does', async () => {
    const { issuer, url, token } = await start();
    const [own] = issuer.keys;
    const { kid, ...rest } = own?.publicJwk ?? {};
    issuer.answers.set('/jwks', {
      keys: [{ ...rest, kid, x: 'AAAA' }, 7, null, { kty: 'EC', kid: 'b' }],
    });
    const { status, text } = await send(url, { body: initialize, headers: bearer(await token()) });
    expect([status, text]).toEqual([401, expect.stringMatching(/cannot be used|not a signed JWT/)]);
  });

  test('are read through the proxy that requests to Fini take', async () => {
    let asked = '';
    const proxy = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (chunk) => {
        asked += chunk.toString('latin1');
        socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      });
    }).listen(0, '127.0.0.1');
    stops.add(() => proxy.close());
    await once(proxy, 'listening');
    const issuer = await startIssuer(stops);
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { url } = await startHttp(
      stops,
      { FINI_MCP_OAUTH_ISSUER: 'https://id.example', HTTPS_PROXY: `http://127.0.0.1:${port}` },
      ['--sandbox'],
    );
    const headers = bearer(await issuer.token(url));
    expect((await send(url, { body: initialize, headers })).status).toBe(503);
    expect(asked).toMatch(/^CONNECT id\.example:443 /);
    expect(asked).not.toMatch(/authorization|eyJ/i);
  });
});

test('200 clients of two people at once: each finds their own, in their own workspace', async () => {
  const people = { olga: 'fini_workspace_of_olga', bob: 'fini_workspace_of_bob' };
  const both = ['read', 'write'] as const;
  const workspaces: Record<string, Sandbox> = {};
  for (const [name, key] of Object.entries(people)) {
    const sandbox = stops.use(await startQuickSandbox({ keys: { [key]: [...both] } }));
    sandbox.addDocument({ title: `Title of ${name}` });
    workspaces[key] = sandbox;
  }
  const issuer = await startIssuer(stops);
  const { url, stderr } = await startHttp(stops, {
    FINI_BASE_URL: await startFiniOf(stops, workspaces),
    FINI_REQUESTS_PER_MINUTE: '100000',
    FINI_MCP_OAUTH_ISSUER: issuer.url,
  });
  const clients = Array.from({ length: 200 }, async (_, index) => {
    const [name, key] =
      index % 2 === 0 ? (['olga', people.olga] as const) : (['bob', people.bob] as const);
    const token = await issuer.token(url, { claims: { sub: name, jti: `${index}` } });
    const headers = { ...bearer(token), 'x-fini-api-key': key };
    await send(url, { body: initialize, headers });
    const body = toolCall('list_sources', {}, `of ${name}`);
    const { text } = await send(url, { body, headers });
    return { name, text };
  });
  const found = await Promise.all(clients);
  for (const { name, text } of found) {
    const other = name === 'olga' ? 'bob' : 'olga';
    expect(text).toContain(`Title of ${name}`);
    expect(text).toContain(`"id":"of ${name}"`);
    expect(text).not.toContain(other);
  }
  const lines = stderr()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const requests = lines.filter(({ status, message }) => message === 'request' && status === 200);
  expect(requests).toHaveLength(400);
  const subjects = requests.map(({ subject }) => subject);
  expect(new Set(subjects).size).toBe(2);
  expect(subjects.filter((subject) => subject === subjects[0])).toHaveLength(200);
  expect(stderr()).not.toMatch(/fini_workspace|eyJ|"(olga|bob)"/);
});

test('requests of any kind crash nothing, are no fault of the server, and learn nothing', {
  timeout: 40_000 + REPEATS * 10_000,
}, async () => {
  const issuer = await startIssuer(stops);
  const key = 'fini_the_key_of_the_server_itself';
  const server = await startHttpProcess(
    stops,
    { FINI_API_KEY: key, FINI_MCP_OAUTH_ISSUER: issuer.url, FINI_BASE_URL: 'http://127.0.0.1:1' },
    ['--log-level', 'debug'],
  );
  const { url } = server;
  const right = await issuer.token(url);
  const parts = right.split('.');
  const [, , signature = ''] = parts;
  const LEAK = /fini_the_key|node_modules|\/src\/|file:\/\/| {4}at /;
  const reader = await issuer.token(url, READS);
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 60 }));
  const base64 = fc.json().map((json) => Buffer.from(json).toString('base64url'));
  const jwt = fc
    .tuple(
      ...[0, 1, 2].map((index) => fc.oneof(fc.constant(parts[index]), base64, fc.base64String())),
    )
    .map((all) => all.join('.'));
  // Only characters that a header may contain reach the server.
  const visible = (given: string) => given.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
  const authorization = fc.oneof(
    { weight: 4, arbitrary: jwt.map((token) => `Bearer ${token}`) },
    fc.constantFrom(
      `Bearer ${right}`,
      `bearer  ${reader} `,
      `Bearer ${right}x`,
      `Bearer ${right},x`,
    ),
    fc
      .tuple(fc.constantFrom('Bearer', 'bearer ', 'Basic', 'DPoP', ''), text)
      .map((pair) => pair.join(' ')),
  );
  const path = fc.oneof(
    { weight: 4, arbitrary: fc.constant('/mcp') },
    fc.constantFrom(
      PRM,
      `${PRM}/mcp`,
      `${PRM}/mcp/..`,
      '/.well-known/',
      '//',
      '/mcp?a',
      '/%',
      'http://a/mcp',
    ),
    text.map((given) => `/${encodeURIComponent(given.replace(/\p{Cs}/gu, ''))}`),
  );
  const message = fc.oneof(
    fc.record({
      jsonrpc: fc.constantFrom('2.0', '1.0'),
      id: fc.oneof(fc.integer(), text, fc.constant(null)),
      method: fc.oneof(fc.constantFrom('tools/call', 'initialize', 'tools/list', 'ping'), text),
      params: fc.oneof(
        fc.record({ name: fc.constantFrom('ingest_sources', 'list_agents', '__proto__', 7) }),
        fc.jsonValue(),
      ),
    }),
    fc.jsonValue(),
  );
  const body = fc.oneof(
    { weight: 3, arbitrary: message.map((one) => JSON.stringify(one)) },
    fc.array(message, { maxLength: 4 }).map((all) => JSON.stringify(all)),
    text,
  );
  const requests = fc.record({
    ...{ authorization: fc.option(authorization), path, body },
    method: fc.oneof(
      { weight: 6, arbitrary: fc.constant('POST') },
      fc.constantFrom('DELETE', 'OPTIONS', 'PUT', 'HEAD'),
    ),
    origin: fc.option(fc.oneof(fc.constantFrom('https://evil.example', 'null'), text)),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 20 });
  stops.add(() => agent.destroy());
  const statuses = new Map<number, number>();
  const seen = fc.sample(requests, { numRuns: 500 * REPEATS, ...SEED });
  const senders = Array.from({ length: 20 }, async (_, index) => {
    for (let next = index; next < seen.length; next += 20) {
      const given = seen[next];
      if (given === undefined) break;
      const headers = {
        ...(given.authorization !== null && { authorization: visible(given.authorization) }),
        ...(given.origin !== null && { origin: visible(given.origin) }),
      };
      const { method } = given;
      // Only POST has a body.
      const sent = method === 'POST' ? { body: given.body } : {};
      const answer = await send(url, { method, path: given.path, headers, agent, ...sent });
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const told = JSON.stringify(answer.headers) + answer.text;
      const isFault = answer.status >= 500 && answer.status !== 503;
      const isLeak =
        LEAK.test(told) || (!given.body.includes(signature) && told.includes(signature));
      // A matcher for each answer would take as long as the requests.
      if (isFault || isLeak)
        expect.unreachable(`${answer.status} ${told} for ${JSON.stringify(given)}`);
    }
  });
  await Promise.all(senders);
  // Few requests may be right by chance.
  const rare = REPEATS === 1 ? [] : [200];
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([401, 403, 404, 400, ...rare]));
  expect(await send(url, { body: initialize, headers: bearer(right) })).toMatchObject({
    status: 200,
  });
  expect(server.process.exitCode).toBeNull();
  expect(server.stderr()).not.toMatch(/fini_the_key|failed unexpectedly|"fault"/);
  for (const part of parts) expect(server.stderr()).not.toContain(part);
});

/** A client's store for its sign-in, for either SDK, and its browser. */
class SignIn {
  readonly redirectUrl = 'http://127.0.0.1:1/callback';
  readonly clientMetadata = {
    client_name: 'test',
    redirect_uris: [this.redirectUrl],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  /** The pages that the person was sent to. */
  readonly pages: URL[] = [];
  #client: { client_id: string } | undefined;
  #tokens: { access_token: string; token_type: string; scope?: string } | undefined;
  #verifier = '';
  #discovered: OAuthDiscoveryState | undefined;

  clientInformation() {
    return this.#client;
  }
  saveClientInformation(client: { client_id: string }) {
    this.#client = client;
  }
  tokens() {
    return this.#tokens;
  }
  saveTokens(tokens: { access_token: string; token_type: string; scope?: string }) {
    this.#tokens = tokens;
  }
  redirectToAuthorization(page: URL) {
    this.pages.push(page);
  }
  saveCodeVerifier(verifier: string) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }
  discoveryState() {
    return this.#discovered;
  }
  saveDiscoveryState(state: OAuthDiscoveryState) {
    this.#discovered = state;
  }
}

describe('a person who signs in at an identity provider', () => {
  const providerStops = new Stops();
  let provider: IdentityProvider;
  beforeAll(async () => {
    provider = await startProvider(providerStops);
  });
  afterAll(() => providerStops.run());

  /** The part of a client that both SDKs share. */
  interface AnyClient {
    readonly connect: () => Promise<void>;
    /** Passes on the URL with which the provider sent the browser back. */
    readonly finish: (callback: URL) => Promise<void>;
    readonly names: () => Promise<string[]>;
    readonly call: (name: string, input: object) => Promise<ReturnType<typeof readAnswer>>;
  }

  const IMPLEMENTATION = { name: 'test', version: '1' };

  function clientV1(url: string, authProvider: SignIn): AnyClient {
    const client = stops.use(new ClientV1(IMPLEMENTATION));
    const transport = new HttpV1(new URL(url), { authProvider });
    return {
      connect: () => client.connect(transport),
      finish: (callback) => transport.finishAuth(callback.searchParams.get('code') ?? ''),
      names: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, input) =>
        readAnswer(await client.callTool({ name, arguments: { ...input } })),
    };
  }

  const clientV2 =
    (mode: 'legacy' | { pin: string }) =>
    (url: string, authProvider: SignIn): AnyClient => {
      const client = stops.use(new ClientV2(IMPLEMENTATION, { versionNegotiation: { mode } }));
      const transport = new HttpV2(new URL(url), { authProvider });
      return {
        connect: () => client.connect(transport),
        finish: (callback) => transport.finishAuth(callback.searchParams),
        names: async () => (await client.listTools()).tools.map(({ name }) => name),
        call: async (name, input) =>
          readAnswer(await client.callTool({ name, arguments: { ...input } })),
      };
    };

  const CLIENTS = [
    ['the v1 SDK', clientV1],
    ['the v2 SDK for 2025', clientV2('legacy')],
    ['the v2 SDK for 2026-07-28', clientV2({ pin: MODERN })],
  ] as const;

  /** Connects a client: it finds out that it must sign in, and signs in with these scopes. */
  async function signIn(
    make: (url: string, signIn: SignIn) => AnyClient,
    url: string,
    agreesTo?: string,
  ) {
    const own = new SignIn();
    const first = make(url, own);
    await expect(first.connect()).rejects.toThrow(/^Unauthorized/);
    const [page] = own.pages;
    if (page === undefined) throw new Error('sent nowhere');
    expect(page.searchParams.get('resource')).toBe(url);
    await first.finish(await provider.browse(page, 'olga', agreesTo));
    const client = make(url, own);
    await client.connect();
    return { client, own };
  }

  const startServer = (flags: string[] = []) =>
    startHttp(stops, { FINI_MCP_OAUTH_ISSUER: provider.issuer, FINI_POLL_INTERVAL_MS: '20' }, [
      '--sandbox',
      ...flags,
    ]);

  test.each(CLIENTS)('%s gets from the 401 to a wait', async (_name, make) => {
    const { url } = await startServer();
    const { client } = await signIn(make, url);
    expect(await client.names()).toContain('ingest_and_wait');
    const input = { documentIdsToAdd: ['https://help.larkspur.example/billing'] };
    const { structured } = await client.call('ingest_and_wait', input);
    expect(structured.outcome).toBe('completed');
  });

  test.each(CLIENTS)('%s asks for the write scope once a call needs it', async (_name, make) => {
    const { url } = await startServer();
    const { client, own } = await signIn(make, url, 'fini:read');
    expect(await client.names()).not.toContain('ingest_and_wait');
    const input = { documentIdsToAdd: ['https://help.larkspur.example/billing'] };
    await expect(client.call('ingest_and_wait', input)).rejects.toThrow(/^Unauthorized/);
    const page = own.pages[1];
    if (page === undefined) throw new Error('sent nowhere');
    expect(page.searchParams.get('scope')).toContain('fini:write');
    await client.finish(await provider.browse(page, 'olga'));
    expect(await client.names()).toContain('ingest_and_wait');
    const { structured } = await client.call('ingest_and_wait', input);
    expect(structured.outcome).toBe('completed');
  });
});
