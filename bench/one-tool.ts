import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

/* A server with one tool on the same SDK: the least that a start can cost. `start.ts` bundles it. */

serveStdio(() => {
  const server = new McpServer({ name: 'one-tool', version: '1' });
  const inputSchema = z.object({ text: z.string() });
  server.registerTool('echo', { description: 'Says it again', inputSchema }, async ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  return server;
});
