/** Text in place of a secret. */
const REPLACEMENT = '[secret]';

/** Masks everything that looks like one of Fini's keys, or like a JWT or its beginning. */
export function maskKeys(text: string): string {
  // A JWT begins with `{"` in base64url.
  return text.replace(/fini_[\w-]{4,}|eyJ[\w-]{8,}[\w.-]*/gi, REPLACEMENT);
}

/**
 * The secrets that this process holds. They are removed from everything that leaves it, since an API
 * that echoes a header, a URL or an error's cause can bring one in anywhere.
 */
export class Secrets {
  readonly #counts = new Map<string, number>();
  /** All written forms of the secrets, without repetitions. */
  #forms: readonly string[] = [];

  /** Keeps a secret out of every text until the returned function is called. */
  add(secret: string): () => void {
    this.#change(secret, 1);
    return () => this.#change(secret, -1);
  }

  /** Removes the secrets from a text, in all their forms. */
  redact(text: string): string {
    let clean = text;
    for (const form of this.#forms) clean = clean.replaceAll(form, REPLACEMENT);
    return clean;
  }

  /** Removes the secrets from the texts in plain JSON. Names of fields stay: they are the protocol's. */
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
    // Some programs escape slashes in JSON.
    secret.replaceAll('/', '\\/'),
    encodeURIComponent(secret),
  ];
}
