import { expect, test } from 'vitest';
import { createLog, type Log } from '../src/log.ts';
import { Secrets } from '../src/secrets.ts';

function logTo(secrets: readonly string[] = []): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const own = new Secrets();
  for (const secret of secrets) own.add(secret);
  return { lines, log: createLog('debug', own, (line) => lines.push(line)) };
}

test('a line is one line of characters that are seen, and parses to what was logged', () => {
  const { log, lines } = logTo();
  const text = Array.from({ length: 0x1_0000 }, (_, code) => String.fromCharCode(code)).join('');
  // The text is logged in parts, since a field's length is limited.
  for (let start = 0; start < text.length; start += 1_000) {
    log('debug', 'protocol', { error: text.slice(start, start + 1_000) });
  }
  log('debug', 'protocol', { error: 'tag \u{e0069} selector \u{e0100}' });
  const told = lines.map((line) => {
    expect(line.endsWith('\n')).toBe(true);
    expect(line.slice(0, -1)).not.toMatch(
      /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]/u,
    );
    return JSON.parse(line).error;
  });
  expect(told.slice(0, -1).join('') === text).toBe(true);
  expect(told.at(-1)).toBe('tag \u{e0069} selector \u{e0100}');
});

test("the server's own secrets and whatever looks like a key are in no line", () => {
  const { log, lines } = logTo(['operator/token==']);
  const key = 'fini_AbC-123_xyz';
  log('info', `for ${key}`, {
    path: `/mcp/${key}`,
    error: `Error: operator/token== ${encodeURIComponent('operator/token==')}\n${key.toUpperCase()}`,
    batch: [`tools/call ${key}`, { inside: key }],
  });
  expect(lines.join('')).not.toMatch(/AbC|token|xyz/i);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ path: '/mcp/[secret]', level: 'info' });
});

test('a secret that is a word of the log leaves its form as it is', () => {
  const { log, lines } = logTo(['"level":"', 'tools/call', 'message']);
  log('info', 'request', { method: 'tools/call', message2: 'message' });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    message: 'request',
    method: '[secret]',
    message2: '[secret]',
  });
});

test('a field has a bound, and ends in no half of a character', () => {
  const { log, lines } = logTo();
  log('error', 'fault', { error: `${'x'.repeat(19_999)}😀${'y'.repeat(4_000_000)}` });
  const { error } = JSON.parse(lines[0] ?? '');
  expect(error).toBe(`${'x'.repeat(19_999)}… (4020001 characters)`);
});
