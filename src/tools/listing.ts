import { tools } from './index.ts';

/** Every tool as clients list it. The build replaces this module by what it comes to. */
export const listing = tools.map((tool) => tool.list());
