import { describe, expect, test } from 'vitest';
import { documentSchema } from '../../src/fini/schemas.ts';
import { type HintName, hintFor, isRetriable } from '../../src/tools/hints.ts';

/** The hint for a source of a kind that failed with these words. */
function hintOf(error: string | null, given: Record<string, unknown> = {}) {
  return hintFor(
    documentSchema.parse({
      id: 'c0ffee00-0000-4000-8000-000000000000',
      source: 'web',
      linkedJobStatus: 'FAILED',
      error,
      ...given,
    }),
  );
}

describe('a page that failed', () => {
  test.each<[HintName, string]>([
    ['needs_login', 'Page requires authentication: redirected to https://a.example/login'],
    ['needs_login', 'HTTP 401'],
    ['needs_login', 'You must sign in to see this page'],
    ['needs_login', 'Login required'],
    ['refused', 'HTTP 403: Forbidden'],
    ['refused', 'Request failed with status code 403'],
    ['page_missing', 'HTTP 404'],
    ['page_missing', '410 Gone'],
    ['page_missing', 'Page not found'],
    ['page_missing', 'HTTP 404 at https://a.example/login'],
    ['robots_forbidden', 'Blocked by robots.txt: /x/ is disallowed for FiniBot'],
    ['unsupported_type', 'Unsupported content type: application/zip'],
    ['unsupported_type', 'Unsupported file format'],
    ['no_content', 'No usable content: no text could be extracted'],
    ['timed_out', 'Timeout while loading https://d.example/blog/introduction'],
    ['timed_out', 'Navigation timed out after 30000 ms'],
    ['timed_out', 'HTTP 504: Gateway Timeout'],
    ['site_failed', 'HTTP 500'],
    ['site_failed', 'Status: 429'],
    ['unreachable', 'Host not found: docs.b.example'],
    ['unreachable', 'getaddrinfo ENOTFOUND docs.b.example'],
  ])('%s: %s', (hint, error) => {
    expect(hintOf(error)).toBe(hint);
    expect(hintOf(error, { linkedJobStatus: 'COMPLETED', success: false })).toBe(hint);
  });

  test.each([
    'Something broke on https://a.example/catalog/404',
    'Could not render https://a.example/oauth/authoring.html',
    'Could not render /design-in-depth/robots',
    'Could not render https://a.example/sign-in-sheets/format',
    'Unknown error in 500 ms',
    'There is no information about the author',
  ])('no certain cause: %s', (error) => {
    expect(hintOf(error)).toBe('check_page');
  });

  test('without a word of Fini: no usable content where the job completed', () => {
    expect(hintOf(null, { linkedJobStatus: 'COMPLETED', success: false })).toBe('no_content');
    expect(hintOf(null)).toBe('check_page');
  });
});

describe('a source of a provider that failed', () => {
  test.each<[HintName, string | null]>([
    ['reconnect_provider', 'The connection has expired or lost its permission to this resource'],
    ['reconnect_provider', 'HTTP 401'],
    ['reconnect_provider', 'Token revoked'],
    // Fini's reference names no other cause.
    ['reconnect_provider', null],
    ['gone_at_provider', 'HTTP 404'],
    ['gone_at_provider', 'Page not found'],
    ['gone_at_provider', 'object_not_found'],
    ['provider_failed', 'HTTP 503'],
    ['provider_failed', 'The request timed out'],
    ['no_content', 'No usable content: the page is empty'],
    ['check_at_provider', 'Something broke on https://a.example/connection/expired'],
  ])('%s: %s', (hint, error) => {
    expect(hintOf(error, { source: 'notion' })).toBe(hint);
  });
});

test('another try is proposed only where it may help', () => {
  const never: HintName[] = ['page_missing', 'needs_login', 'robots_forbidden', 'unsupported_type'];
  const maybe: HintName[] = ['timed_out', 'site_failed', 'unreachable', 'provider_failed'];
  expect([...never, 'gone_at_provider' as const].filter(isRetriable)).toEqual([]);
  expect(maybe.filter((hint) => !isRetriable(hint))).toEqual([]);
});
