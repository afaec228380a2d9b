// @openai/agents: an agent with a server, over OpenAI's Responses API.
import { Agent, MCPServerStdio, OpenAIProvider, Runner } from '@openai/agents';

export async function drive({ server, url, task }) {
  const mcpServer = new MCPServerStdio(server);
  await mcpServer.connect();
  try {
    const modelProvider = new OpenAIProvider({ apiKey: 'none', baseURL: `${url}/v1` });
    const runner = new Runner({ modelProvider, tracingDisabled: true });
    const agent = new Agent({ name: 'agent', model: 'stand-in', mcpServers: [mcpServer] });
    await runner.run(agent, task);
  } finally {
    await mcpServer.close();
  }
}
