/** What stands where a secret was. */
const REPLACEMENT = '[secret]';

/** Text in which whatever looks like a key of Fini's, or like a JWT or its beginning, is masked. */
export function maskKeys(text: string): string {
  // A JWT begins with `{"` in base64url.
  return text.replace(/fini_[\w-]{4,}|eyJ[\w-]{8,}[\w.-]*/gi, REPLACEMENT);
}

/**
 * The secrets that this process holds, and their removal from whatever leaves it: an API that
 * echoes a header, a URL or an error's cause may bring one in anywhere.
 */
export class Secrets {
  readonly #counts = new Map<string, number>();
  /** The secrets in every form in which they may stand, each once. */
  #forms: readonly string[] = [];

  /** Keeps a secret, which holds nothing that JSON escapes, out of every text until the answer is called. */
  add(secret: string): () => void {
    this.#change(secret, 1);
    return () => this.#change(secret, -1);
  }

  /** The text without any secret, as it is or as it stands in a URL. */
  redact(text: string): string {
    let clean = text;
    for (const form of this.#forms) clean = clean.replaceAll(form, REPLACEMENT);
    return clean;
  }

  /** Plain JSON without any secret in its texts. Names stay: they are the protocol's. */
  redactJson<Value>(value: Value): Value {
    const json = JSON.stringify(value);
    if (!this.#forms.some((form) => json.includes(form))) return value;
    return JSON.parse(json, (_name, part) => (typeof part === 'string' ? this.redact(part) : part));
  }

  #change(secret: string, change: number): void {
    const count = (this.#counts.get(secret) ?? 0) + change;
    if (count > 0) this.#counts.set(secret, count);
    else this.#counts.delete(secret);
    this.#forms = [...new Set([...this.#counts.keys()].flatMap(formsOf))];
  }
}

function formsOf(secret: string): string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // As some write JSON.
    secret.replaceAll('/', '\\/'),
    encodeURIComponent(secret),
  ];
}
