import {
  createLocalJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import * as z from 'zod';
import { IssuerKeys, type IssuerOptions, type KeySet } from './issuer-keys.ts';

/* A module of its own, so that only a server with a sign-in loads jose. */

/** How far the issuer's clock may be from ours, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** How long a subject may be, in characters. OpenID Connect has 255. */
const MAXIMUM_SUBJECT_LENGTH = 1_000;
/** Only algorithms with a public key: with a shared one, whoever knows the public key could sign. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** What a token says. */
export interface AccessToken {
  /** Whom it stands for, among all of its issuer's. */
  readonly subject: string;
  readonly scopes: readonly string[];
}

/** Why a token is not accepted, in a sentence. */
export interface TokenFault {
  readonly fault: string;
}

/** Which tokens are accepted. */
export interface AccessTokensOptions extends IssuerOptions {
  /** What a token's `aud` may have. */
  readonly audiences: readonly string[];
}

const scopes = z
  .union([z.string().transform((text) => text.split(' ')), z.array(z.string())])
  .catch([]);

/** The claims (RFC 7519, RFC 9068) beside those that jose checks. Some providers call the scopes scp. */
const claimsSchema = z.object({
  sub: z.string().min(1).max(MAXIMUM_SUBJECT_LENGTH),
  iat: z.number().optional(),
  scope: scopes,
  scp: scopes,
});

/** Checks access tokens, JWTs of one issuer for this server. */
export class AccessTokens {
  readonly #keys: IssuerKeys;
  readonly #options: JWTVerifyOptions;
  readonly #resolvers = new WeakMap<KeySet, ReturnType<typeof createLocalJWKSet>>();

  constructor(options: AccessTokensOptions) {
    this.#keys = new IssuerKeys(options);
    this.#options = {
      algorithms: ALGORITHMS,
      issuer: options.issuer,
      audience: [...options.audiences],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp', 'sub'],
    };
  }

  /**
   * Checks a token: who signed it, for whom, for when, and what kind it is.
   *
   * @throws {KeysUnavailable} where it cannot be told.
   */
  async read(token: string): Promise<AccessToken | TokenFault> {
    let verified: JWTVerifyResult;
    try {
      verified = await this.#verify(token);
    } catch (error) {
      const fault = faultOf(error);
      if (fault === null) throw error;
      return { fault };
    }
    const { payload, protectedHeader } = verified;
    const kindFault = kindFaultOf(protectedHeader.typ, payload);
    if (kindFault !== null) return { fault: kindFault };
    const claims = claimsSchema.safeParse(payload);
    if (!claims.success) return { fault: unreadable(claims.error.issues[0]?.path[0]) };
    const { sub, iat, scope, scp } = claims.data;
    if (iat !== undefined && iat > Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) {
      return { fault: 'The token was issued in the future (iat): check the clocks.' };
    }
    return { subject: sub, scopes: [...scope, ...scp] };
  }

  async #verify(token: string) {
    try {
      return await jwtVerify(
        token,
        async (header, jws) => {
          const known = await this.#keys.current();
          try {
            return await this.#resolverOf(known)(header, jws);
          } catch (error) {
            if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
            const others = await this.#keys.besides(known);
            if (others === known) throw error;
            return this.#resolverOf(others)(header, jws);
          }
        },
        this.#options,
      );
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return this.#verifyWithAny(token, error);
    }
  }

  /** A token need not name its key. */
  async #verifyWithAny(token: string, keys: errors.JWKSMultipleMatchingKeys) {
    for await (const key of keys) {
      try {
        return await jwtVerify(token, key, this.#options);
      } catch (error) {
        // A key that cannot be used says nothing of the others.
        const isOther = error instanceof errors.JWSSignatureVerificationFailed || isKeyFault(error);
        if (!isOther) throw error;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }

  #resolverOf(keySet: KeySet) {
    const resolver = this.#resolvers.get(keySet) ?? createLocalJWKSet(keySet);
    this.#resolvers.set(keySet, resolver);
    return resolver;
  }
}

/** Why a token is of another kind than an access token to be sent as it is; null where it may be one. */
function kindFaultOf(type: string | undefined, payload: JWTPayload): string | null {
  // RFC 9068 has at+jwt, and most providers the JWT of before it.
  const isKnown = type === undefined || /^(application\/)?(at\+)?jwt$/i.test(type);
  if (!isKnown) return 'The token is of another type (typ) than an access token.';
  const isIdToken = payload.typ === 'ID' || 'at_hash' in payload || 'c_hash' in payload;
  if (isIdToken) return 'The token is an ID token: an access token is needed.';
  // Whoever stole it could not use it, if only it were checked.
  if ('cnf' in payload) return 'The token is bound to a key (cnf), which this server cannot check.';
  return null;
}

/** What a failed check says of the token; null where it says nothing of it. */
function faultOf(error: unknown): string | null {
  if (error instanceof errors.JWTExpired) return 'The token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `The token has no ${claim}.`;
    return reason === 'check_failed'
      ? (CLAIM_FAULTS[claim] ?? unreadable(claim))
      : unreadable(claim);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return 'The token is not signed with an algorithm that has a public key.';
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return 'The token is signed with a key that the issuer does not publish.';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return 'The signature of the token is wrong.';
  }
  if (isKeyFault(error)) return 'The token is signed with a key that cannot be used.';
  return error instanceof errors.JOSEError ? 'The token is not a signed JWT.' : null;
}

/** Not all that an issuer publishes need be a key that this Node.js can use. */
function isKeyFault(error: unknown): boolean {
  return error instanceof DOMException || error instanceof TypeError;
}

const CLAIM_FAULTS: Readonly<Record<string, string>> = {
  iss: 'The token is from another issuer.',
  aud: 'The token is for another audience.',
  nbf: 'The token is not valid yet (nbf).',
};

function unreadable(claim: unknown): string {
  return `The token has no ${String(claim)} that can be read.`;
}
