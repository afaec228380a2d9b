import { writeFile } from 'node:fs/promises';
import { measureCalls } from './calls.ts';
import { measureSizes } from './sizes.ts';
import { soak } from './soak.ts';
import { measureStarts } from './start.ts';
import { measureWaits } from './waits.ts';

/* Measures everything in one run, prints it as a table and writes it to results.md. */

const parts = {
  'Cold start': {
    measure: measureStarts,
    note: 'The median of 11 starts, interleaved with those of a bare node that reads a line and answers one.',
  },
  Calls: {
    measure: measureCalls,
    note: 'Medians of interleaved rounds, against a Fini on loopback that shares the machine.',
  },
  Waits: {
    measure: measureWaits,
    note: 'The looks at Fini during a wait, with the jobs and the polling interval ten times as quick as by default.',
  },
  Sizes: { measure: measureSizes, note: 'What a model is given to read.' },
  'HTTP sessions': { measure: soak, note: '200 sessions opened, used and closed in each round.' },
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
  const head = `# Benchmarks\n\nMeasured by \`npm run bench\` in one run, on Node ${process.versions.node.split('.')[0]}. Ratios carry over to other machines better than figures do.\n`;
  await writeFile(new URL('results.md', import.meta.url), [head, ...sections].join('\n'));
}
