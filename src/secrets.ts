/** What stands where a secret was. */
const REPLACEMENT = '[secret]';

/** Text in which whatever looks like a key of Fini's is masked. */
export function maskKeys(text: string): string {
  return text.replace(/fini_[\w-]{4,}/gi, REPLACEMENT);
}

/**
 * The secrets that this process holds, and their removal from whatever leaves it: an API that
 * echoes a header, a URL or an error's cause may bring one in anywhere.
 */
export class Secrets {
  readonly #counts = new Map<string, number>();

  /** Keeps a secret, which holds nothing that JSON escapes, out of every text until the answer is called. */
  add(secret: string): () => void {
    this.#counts.set(secret, (this.#counts.get(secret) ?? 0) + 1);
    return () => {
      const left = (this.#counts.get(secret) ?? 1) - 1;
      if (left === 0) this.#counts.delete(secret);
      else this.#counts.set(secret, left);
    };
  }

  /** The text without any secret, as it is or as it stands in a URL. */
  redact(text: string): string {
    let clean = text;
    for (const secret of this.#counts.keys()) {
      for (const form of [
        secret,
        JSON.stringify(secret).slice(1, -1),
        // As some write JSON.
        secret.replaceAll('/', '\\/'),
        encodeURIComponent(secret),
      ]) {
        clean = clean.replaceAll(form, REPLACEMENT);
      }
    }
    return clean;
  }

  /** Plain JSON without any secret in its texts. Names stay: they are the protocol's. */
  redactJson<Value>(value: Value): Value {
    const json = JSON.stringify(value);
    if (this.redact(json) === json) return value;
    return JSON.parse(json, (_name, part) => (typeof part === 'string' ? this.redact(part) : part));
  }
}
