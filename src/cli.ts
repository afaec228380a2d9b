#!/usr/bin/env node
import { nodeFault } from './node-version.ts';

const fault = nodeFault();
if (fault === null) {
  // Not awaited: the oldest versions that are refused cannot read a module that does.
  void import('./start.ts');
} else {
  process.stderr.write(`${fault}\n`);
  process.exitCode = 1;
}
