import { enableCompileCache } from './compile-cache.ts';

// Before anything else is loaded, so that the rest is not compiled again at every start.
enableCompileCache();
const { main } = await import('./main.ts');
await main();
