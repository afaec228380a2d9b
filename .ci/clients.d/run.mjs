// Runs the main job through one client library: `node run.mjs NAME CLI`, where NAME.mjs beside this
// file drives the library and CLI is the built server. The model is a stand-in; the rest is real.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { startModel } from './model.mjs';

const [name, cli] = process.argv.slice(2);

const SITE = 'https://help.larkspur.example';
/** The URLs to ingest, call by call. The second report is long; its last pages do not exist. */
const jobs = [
  { pages: ['/billing/refunds', '/billing/invoices'], failing: ['/account/rewards'] },
  {
    pages: Array.from(
      { length: 50 },
      (_, page) => `https://docs.aurora.example/page-${page + 100}`,
    ),
    failing: ['/old/1', '/old/2', '/old/3', '/old/4', '/old/5'],
  },
].map(({ pages, failing }) => ({
  failing: failing.length,
  urls: [...pages, ...failing].map((page) => new URL(page, SITE).href),
}));
const calls = jobs.map(({ urls }) => ({
  name: 'ingest_and_wait',
  input: { documentIdsToAdd: urls },
}));

// The log keeps what the server writes, to compare it with what the model receives.
const log = `${name}.jsonl`;
const server = {
  command: 'sh',
  args: [
    '-c',
    'FINI_POLL_INTERVAL_MS=250 "$0" "$1" --sandbox 2>"$2.stderr" | tee "$2"',
    process.execPath,
    cli,
    log,
  ],
};

const model = await startModel(calls);
const { drive } = await import(`./${name}.mjs`);
try {
  await drive({ server, url: model.url, task: 'Ingest these pages and tell me what failed.' });
} finally {
  model.close();
  for (const fault of model.faults) process.stderr.write(`${fault.stack}\n`);
}

const sent = (await readFile(log, 'utf8'))
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));
const tools = sent.flatMap(({ result }) => result?.tools ?? []).map((tool) => tool.name);
const results = sent.flatMap(({ result }) => (result?.content ? [result] : []));
const given = model.given();

assert.ok(tools.includes('ingest_and_wait'));
assert.deepEqual(given.tools.toSorted(), [...new Set(tools)].toSorted());
assert.equal(results.length, calls.length);
assert.equal(given.results.length, calls.length);

for (const [index, { urls, failing }] of jobs.entries()) {
  const text = given.results[index];
  const { content, structuredContent } = results[index];
  // Some clients pass the text block to the model as JSON.
  const includes = (part, what) => {
    const forms = [part, JSON.stringify(part).slice(1, -1)];
    const message = `${what} ${part} is not in what the model was given:\n${text}`;
    assert.ok(
      forms.some((form) => text.includes(form)),
      message,
    );
  };

  for (const item of content) includes(item.text ?? item.type, 'The text');
  for (const url of urls) includes(url, 'The URL');
  const { outcome, counts, sources } = structuredContent;
  assert.equal(outcome, 'partial');
  includes(outcome, 'The outcome');
  assert.equal(counts.completed, urls.length - failing);
  assert.equal(counts.failed, failing);
  const failed = sources.filter(({ status }) => status === 'failed');
  assert.equal(failed.length, failing);
  for (const { error } of failed) includes(error, 'The reason');
}
