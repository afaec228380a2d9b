import { writeFile } from 'node:fs/promises';
import { measureCalls } from './calls.ts';
import { measureLimit } from './limit.ts';
import { measureSizes } from './sizes.ts';
import { soak } from './soak.ts';
import { measureStarts } from './start.ts';
import { measureWaits } from './waits.ts';

/* Measures everything in one run, prints the results as tables and writes them to results.md. */

const parts = {
  'Cold start': {
    measure: measureStarts,
    note: 'Median of 11 starts, interleaved with starts of a bare Node.js process that reads one line and writes one, and of a server with one tool on the same SDK, bundled alike.',
  },
  Calls: {
    measure: measureCalls,
    note: 'Medians of interleaved rounds, against a sandbox Fini on the same machine.',
  },
  Waits: {
    measure: measureWaits,
    note: 'Requests to Fini during a wait, with jobs and polling ten times as fast as by default.',
  },
  Limit: {
    measure: measureLimit,
    note: 'Twelve waits for ten pages each, and a call of list_sources every 1.5 s for 75 s, against a Fini that allows 100 requests in 60 s.',
  },
  Sizes: { measure: measureSizes, note: 'What a model receives.' },
  'HTTP clients': { measure: soak, note: 'In each round, 200 clients come, call and go.' },
};

const wanted = process.argv.slice(2);
const sections: string[] = [];
for (const [name, { measure, note }] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const rows = await measure();
  const table = [
    '| what | figure | ratio |',
    '|---|---|---|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ];
  const section = [`## ${name}`, '', note, '', ...table, ''].join('\n');
  process.stdout.write(`${section}\n`);
  sections.push(section);
}
if (wanted.length === 0) {
  const head = `# Benchmarks\n\nMeasured by \`npm run bench\` in one run, on Node ${process.versions.node.split('.')[0]}. Ratios carry over to other machines better than absolute figures.\n`;
  await writeFile(new URL('results.md', import.meta.url), [head, ...sections].join('\n'));
}
