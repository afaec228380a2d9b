import { startSandbox } from '../src/sandbox/server.ts';

/* A sandbox in a process of its own, so that the bare request that calls are compared with crosses
 * a process boundary as theirs does. Prints where it is, and the ID of the source in it. */

const sandbox = await startSandbox();
const paragraphs = Array<string>(20).fill('A paragraph of text.');
const { id } = sandbox.addDocument({ title: 'Refunds', paragraphs });
const milliseconds = Number(process.argv[2] ?? 0);
if (milliseconds > 0) {
  sandbox.script({ times: Number.POSITIVE_INFINITY, action: { kind: 'slow', milliseconds } });
}
process.stdout.write(`${JSON.stringify({ url: sandbox.url, apiKey: sandbox.apiKey, id })}\n`);
// Its log of requests would otherwise grow with every call.
setInterval(() => {
  sandbox.requests.length = 0;
}, 100);
