import { sendAnswer } from '../src/sandbox/sandbox-answer.ts';
import { startSandbox } from '../src/sandbox/sandbox-server.ts';

/* A sandbox in a separate process, so that the bare request crosses a process boundary too, as the
 * measured calls do. Prints its URL and key, and the ID of its one source. */

const milliseconds = Number(process.argv[2] ?? 0);
const sandbox = await startSandbox({
  requestsPerMinute: Number.POSITIVE_INFINITY,
  intercept: ({ response, carryOut }) => {
    if (milliseconds === 0) return false;
    const answer = carryOut();
    setTimeout(() => sendAnswer(response, answer), milliseconds);
    return true;
  },
});
const paragraphs = Array<string>(20).fill('A paragraph of text.');
const { id } = sandbox.addDocument({ title: 'Refunds', paragraphs });
process.stdout.write(`${JSON.stringify({ url: sandbox.url, apiKey: sandbox.apiKey, id })}\n`);
// The sandbox's log of requests would grow with every call.
setInterval(() => {
  sandbox.requests.length = 0;
}, 100);
