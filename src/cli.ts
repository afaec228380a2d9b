#!/usr/bin/env node
import { enableCompileCache } from './compile-cache.ts';

// The cache comes before anything else is loaded, so that later code is not compiled at every start.
enableCompileCache();
const { main } = await import('./main.ts');
await main();
