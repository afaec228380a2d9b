import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Stops } from './harness.ts';

/* An issuer without a sign-in: it signs whatever a test asks for, and can go away. */

/** A key pair, with its public key as issuers publish it. */
export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** Parts of a token: claims beside the usual ones (undefined leaves one out), and its header. */
export interface TokenParts {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: SigningKey | undefined;
}

/** An issuer on loopback. */
export interface Issuer {
  readonly url: string;
  /** The keys that the issuer publishes. The first one signs. */
  readonly keys: SigningKey[];
  /** The paths that were requested. */
  readonly requests: string[];
  /** True to break off every connection. */
  isGone: boolean;
  /** True to take requests and never answer them. */
  isSilent: boolean;
  /** Answers that replace the issuer's own, by path. */
  readonly answers: Map<string, unknown>;
  /** Signs a token for an audience, valid unless its parts say otherwise. */
  readonly token: (audience: string, parts?: TokenParts) => Promise<string>;
}

/** Makes a key pair. An RSA pair would take a hundred times as long. */
export async function makeKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } };
}

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

/** Starts an issuer, optionally at a path of its host. It ends with the test. */
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
