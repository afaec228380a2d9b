// @ai-sdk/mcp: the tools of a server for `generateText`.
import { createMCPClient } from '@ai-sdk/mcp';
import { Experimental_StdioMCPTransport as StdioTransport } from '@ai-sdk/mcp/mcp-stdio';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, isStepCount } from 'ai';

export async function drive({ server, url, task }) {
  const client = await createMCPClient({ transport: new StdioTransport(server) });
  try {
    const provider = createOpenAICompatible({ name: 'stand-in', baseURL: `${url}/v1` });
    await generateText({
      model: provider('stand-in'),
      tools: await client.tools(),
      stopWhen: isStepCount(5),
      prompt: task,
    });
  } finally {
    await client.close();
  }
}
