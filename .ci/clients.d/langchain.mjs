// @langchain/mcp-adapters: an agent with the tools of a server, and either of two chat models.
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { createAgent } from 'langchain';

export async function driveWith(model, { server, task }) {
  const client = new MultiServerMCPClient({ mcpServers: { fini: server } });
  try {
    const agent = createAgent({ model, tools: await client.getTools() });
    await agent.invoke({ messages: [{ role: 'user', content: task }] });
  } finally {
    await client.close();
  }
}
