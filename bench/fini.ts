import { startSandbox } from '../src/sandbox/server.ts';

/* A sandbox in a separate process, so that the bare request crosses a process boundary too, as the
 * calls compared with it do. Prints its URL and key, and the ID of its one source. */

const sandbox = await startSandbox({ requestsPerMinute: Number.POSITIVE_INFINITY });
const paragraphs = Array<string>(20).fill('A paragraph of text.');
const { id } = sandbox.addDocument({ title: 'Refunds', paragraphs });
const milliseconds = Number(process.argv[2] ?? 0);
if (milliseconds > 0) {
  sandbox.script({ times: Number.POSITIVE_INFINITY, action: { kind: 'slow', milliseconds } });
}
process.stdout.write(`${JSON.stringify({ url: sandbox.url, apiKey: sandbox.apiKey, id })}\n`);
// Otherwise its log of requests would grow with every call.
setInterval(() => {
  sandbox.requests.length = 0;
}, 100);
