// @anthropic-ai/sdk: its tool runner, with the tools of an MCP client.
import Anthropic from '@anthropic-ai/sdk';
import { mcpTools } from '@anthropic-ai/sdk/helpers/beta/mcp';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

export async function drive({ server, url, task }) {
  const client = new Client({ name: 'anthropic-sdk', version: '1' });
  await client.connect(new StdioClientTransport(server));
  try {
    const { tools } = await client.listTools();
    const anthropic = new Anthropic({ apiKey: 'none', baseURL: url });
    await anthropic.beta.messages.toolRunner({
      model: 'stand-in',
      max_tokens: 1000,
      tools: mcpTools(tools, client),
      messages: [{ role: 'user', content: task }],
    });
  } finally {
    await client.close();
  }
}
