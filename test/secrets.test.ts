import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Secrets } from '../src/secrets.ts';
import { Stops, startHarness } from './harness.ts';

const KEY = 'fini_odd+key/with~all==';

const stops = new Stops();
afterEach(() => stops.run());

/** Returns what a client is told when Fini answers like this. */
async function toldBy(status: number, type: string, body: string): Promise<string> {
  const fini = createServer((_request, response) =>
    response.writeHead(status, { 'content-type': type }).end(body),
  );
  await new Promise<void>((resolve) => fini.listen(0, '127.0.0.1', resolve));
  stops.add(() => fini.close());
  const { port } = fini.address() as AddressInfo;
  const harness = await startHarness(
    {},
    { FINI_API_KEY: KEY, FINI_BASE_URL: `http://127.0.0.1:${port}` },
  );
  stops.add(() => harness.close());
  const answer = await harness.call('list_sources');
  return JSON.stringify(answer) + harness.stderr();
}

test('a key that Fini’s JSON escapes goes out in no form', async () => {
  const escaped = KEY.replace(/\W/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`);
  const told = await toldBy(400, 'application/json', `{"message":"no ${escaped}"}`);
  expect(told).toContain('no [secret]');
  expect(told).not.toContain(KEY);
});

test('a key that Fini repeats in a header goes out in no error', async () => {
  const told = await toldBy(200, `text/${KEY}`, 'no JSON');
  expect(told).toContain('text/[secret]');
  expect(told).not.toContain(KEY);
});

test('a secret is kept out until it is given back as often as it was added', () => {
  const secrets = new Secrets();
  const [first, second] = [secrets.add(KEY), secrets.add(KEY)];
  first();
  expect(secrets.redact(`a ${KEY} ${encodeURIComponent(KEY)} b`)).toBe('a [secret] [secret] b');
  expect(secrets.redactJson({ [KEY]: [KEY, 1] })).toEqual({ [KEY]: ['[secret]', 1] });
  second();
  expect(secrets.redact(KEY)).toBe(KEY);
});
