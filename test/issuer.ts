import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Stops } from './harness.ts';

/* An issuer without a sign-in, which signs whatever a test asks for and can be gone. */

/** A key pair, and its public key as issuers publish it. */
export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** What a token is made of: claims beside the usual ones (undefined leaves one out), and its header. */
export interface TokenParts {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: SigningKey | undefined;
}

/** An issuer on loopback. */
export interface Issuer {
  readonly url: string;
  /** The keys that it publishes. The first one signs. */
  readonly keys: SigningKey[];
  /** What it was asked for. */
  readonly requests: string[];
  /** Whether it answers at all. */
  isGone: boolean;
  /** Whether it takes requests and never answers them. */
  isSilent: boolean;
  /** Answers in place of its own, by path. */
  readonly answers: Map<string, unknown>;
  /** A token for an audience, which is right unless its parts say otherwise. */
  readonly token: (audience: string, parts?: TokenParts) => Promise<string>;
}

/** Makes a key pair. Of RSA it would take a hundred times as long. */
export async function makeKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } };
}

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

/** Starts an issuer, at a path of its host where one is given. It ends with the test. */
export async function startIssuer(stops: Stops, path = ''): Promise<Issuer> {
  const server = createServer((request, response) => {
    const asked = request.url ?? '';
    issuer.requests.push(asked);
    if (issuer.isGone) return request.socket.destroy();
    if (issuer.isSilent) return undefined;
    const given = issuer.answers.get(asked);
    const found =
      given ??
      (asked === `/.well-known/openid-configuration${path}`
        ? { issuer: issuer.url, jwks_uri: `${origin}/jwks` }
        : asked === '/jwks'
          ? { keys: issuer.keys.map(({ publicJwk }) => publicJwk) }
          : undefined);
    if (found === undefined) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(typeof found === 'string' ? found : JSON.stringify(found));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.add(() => server.close());
  stops.add(() => server.closeAllConnections());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: Issuer = {
    url: `${origin}${path}`,
    keys: [await makeKey('first')],
    requests: [],
    isGone: false,
    isSilent: false,
    answers: new Map(),
    token: async (audience, { claims = {}, header = {}, key = issuer.keys[0] } = {}) => {
      if (key === undefined) throw new Error('no key');
      const usual = { iss: issuer.url, aud: audience, sub: 'olga', scope: 'fini:read fini:write' };
      const payload = { ...usual, iat: now(), exp: now() + 300, ...claims };
      const { kid = '' } = key.publicJwk;
      return new SignJWT(payload)
        .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt', ...header })
        .sign(key.privateKey);
    },
  };
  return issuer;
}
