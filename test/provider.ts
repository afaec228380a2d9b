import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Interaction, Provider } from 'oidc-provider';
import * as z from 'zod';
import type { Stops } from './harness.ts';

/* A real identity provider, which registers clients and lets a person sign in. */

/** An identity provider on loopback, and a browser in which a person agrees to what is asked. */
export interface IdentityProvider {
  readonly issuer: string;
  /** Opens a page as the person, signs in and agrees to scopes, and ends at the client's callback. */
  readonly browse: (page: URL, person: string, agreesTo?: string) => Promise<URL>;
}

const SCOPES = 'fini:read fini:write';

/** The parts of a person's consent that are still missing. */
const detailsSchema = z.object({
  missingOIDCScope: z.array(z.string()).default([]),
  missingResourceScopes: z.record(z.string(), z.array(z.string())).default({}),
});

/** Starts a provider. It ends with the test. */
export async function startProvider(stops: Stops): Promise<IdentityProvider> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.add(() => server.close());
  stops.add(() => server.closeAllConnections());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, audience) => ({
          ...{ audience, scope: SCOPES, accessTokenFormat: 'jwt' },
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    scopes: ['openid', 'offline_access', ...SCOPES.split(' ')],
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'] },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    cookies: { keys: ['a test has no secrets'] },
    ttl: { AccessToken: 600, Grant: 600, Interaction: 600, Session: 600 },
  });

  /** Records the requested scopes that a person agrees to. */
  async function agree(
    { prompt, params, session, grantId }: Interaction,
    agreesTo: string,
  ): Promise<string> {
    const found = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const accountId = session?.accountId ?? '';
    const clientId = String(params.client_id);
    const grant = found ?? new provider.Grant({ accountId, clientId });
    const { missingOIDCScope, missingResourceScopes } = detailsSchema.parse(prompt.details);
    grant.addOIDCScope(missingOIDCScope.join(' '));
    for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
      const isAgreed = (scope: string) => agreesTo.split(' ').includes(scope);
      grant.addResourceScope(resource, scopes.filter(isAgreed).join(' '));
      grant.rejectResourceScope(resource, scopes.filter((scope) => !isAgreed(scope)).join(' '));
    }
    return grant.save();
  }

  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/interaction/')) {
      void provider.callback()(request, response);
      return;
    }
    const answer = async () => {
      const interaction = await provider.interactionDetails(request, response);
      const person = String(request.headers['x-person']);
      const result =
        interaction.prompt.name === 'login'
          ? { login: { accountId: person } }
          : {
              consent: {
                grantId: await agree(interaction, String(request.headers['x-agrees-to'])),
              },
            };
      await provider.interactionFinished(request, response, result);
    };
    answer().catch((error: unknown) => response.writeHead(500).end(String(error)));
  });

  return {
    issuer,
    async browse(page, person, agreesTo = SCOPES) {
      const cookies = new Map<string, string>();
      for (let url = page; ; ) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const headers = { cookie, 'x-person': person, 'x-agrees-to': agreesTo };
        const answer = await fetch(url, { headers, redirect: 'manual' });
        for (const text of answer.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
          cookies.set(name, value);
        }
        const next = answer.headers.get('location');
        if (next === null) throw new Error(`HTTP ${answer.status}: ${await answer.text()}`);
        url = new URL(next, url);
        if (url.origin !== issuer) return url;
      }
    },
  };
}
