import {
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import * as z from 'zod';
import { IssuerKeys, type IssuerOptions, KeysUnavailable } from './issuer-keys.ts';

/* A separate module, since only a server with a sign-in loads jose. */

/** Tolerated difference between the issuer's clock and ours, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 60;
/** Maximum length of a subject in characters. OpenID Connect allows 255. */
const MAXIMUM_SUBJECT_LENGTH = 1_000;
/** Allowed algorithms, none with a shared key: then anyone who knows the public key could sign. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** The parts of a token that matter here. */
export interface AccessToken {
  /** The person, unique among the issuer's. */
  readonly subject: string;
  readonly scopes: readonly string[];
}

/** A token that is not accepted, with the reason in a sentence. */
export interface TokenFault {
  readonly fault: string;
}

/** The rules for access tokens. */
export interface AccessTokensOptions extends IssuerOptions {
  /** The values that a token's `aud` may have. */
  readonly audiences: readonly string[];
}

const scopes = z
  .union([z.string().transform((text) => text.split(' ')), z.array(z.string())])
  .catch([]);

/** The claims (RFC 7519, RFC 9068) that jose does not check. Some providers call the scopes `scp`. */
const claimsSchema = z.object({
  sub: z.string().min(1).max(MAXIMUM_SUBJECT_LENGTH),
  iat: z.number().optional(),
  scope: scopes,
  scp: scopes,
});

/** Checks access tokens: JWTs of one issuer for this server. */
export class AccessTokens {
  readonly #keys: IssuerKeys;
  readonly #options: JWTVerifyOptions;

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
   * Checks a token's signature, audience, time and kind. `unavailable` means that there are no keys to
   * check it with.
   */
  async read(token: string): Promise<AccessToken | TokenFault | 'unavailable'> {
    let verified: JWTVerifyResult;
    try {
      verified = await this.#verify(token);
    } catch (error) {
      if (error instanceof KeysUnavailable) return 'unavailable';
      const fault = tokenFaultOf(error);
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
      return await jwtVerify(token, (header, jws) => this.#keys.find(header, jws), this.#options);
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      return this.#verifyWithAny(token, error);
    }
  }

  /** Tries every key that fits a token, which need not name its key. */
  async #verifyWithAny(token: string, keys: errors.JWKSMultipleMatchingKeys) {
    for await (const key of keys) {
      try {
        return await jwtVerify(token, key, this.#options);
      } catch (error) {
        // A key that cannot be used does not rule out the others.
        const isOther = error instanceof errors.JWSSignatureVerificationFailed || isKeyFault(error);
        if (!isOther) throw error;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Says why a token is no access token that can be sent as it is; null if it may be one. */
function kindFaultOf(type: string | undefined, payload: JWTPayload): string | null {
  // RFC 9068 uses at+jwt; most providers still use the earlier JWT.
  const isKnown = type === undefined || /^(application\/)?(at\+)?jwt$/i.test(type);
  if (!isKnown) return 'The token is of another type (typ) than an access token.';
  const isIdToken = payload.typ === 'ID' || 'at_hash' in payload || 'c_hash' in payload;
  if (isIdToken) return 'The token is an ID token: an access token is needed.';
  // It is safe only if the proof of possession is checked, which this server does not do.
  if ('cnf' in payload) return 'The token is bound to a key (cnf), which this server cannot check.';
  return null;
}

/** Says what a failed check means for the token; null if it means nothing. */
function tokenFaultOf(error: unknown): string | null {
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

/** An issuer may publish keys that this Node.js cannot use. */
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
