import * as z from 'zod';
import { paragraph, plural, shown, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';
import { fittingPage } from './bound.ts';
import { defineTool } from './tool.ts';

/** Maximum number of agents to name in next calls: more would crowd out the other calls. */
const PROPOSED_AGENTS = 3;

/** Lists the agents that answer from articles. */
export const listAgents = defineTool({
  name: 'list_agents',
  title: 'List agents',
  description:
    "Lists the workspace's agents, which answer customers from the folders of articles assigned to them (Fini's API calls an agent a bot). To see an agent's folders, pass its ID as botId to get_knowledge_tree.",
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({}),
  outputSchema: z.object({
    agents: z
      .array(
        z.object({
          id: z.string().describe('ID of the agent: pass it as botId.'),
          name: z.string().optional(),
          createdAt: z.string().optional().describe('Time of creation (ISO 8601).'),
        }),
      )
      .describe('The agents, newest first.'),
  }),
  lists: { agents: 'in order' },
  async handler(_input, { fini, call }) {
    const { agents: all, unreadable, hasMore } = await fini.listAgents(call);
    const agents = fittingPage(
      all.map(({ id, name, createdAt }) => ({
        id,
        name: shown(name, TITLE_LENGTH),
        createdAt: shown(createdAt, WORD_LENGTH),
      })),
    );
    const isWhole = unreadable === 0 && hasMore !== true;
    const none = isWhole
      ? "There are no agents yet. They are created in Fini's dashboard."
      : 'No agents can be shown.';
    const sentences = [
      all.length > 0 ? `${plural(all.length, 'agent')}.` : none,
      agents.length < all.length
        ? `Only the first ${agents.length} are listed: the others are only in Fini's dashboard.`
        : '',
      unreadable > 0 ? `${plural(unreadable, 'agent')} without an ID left out.` : '',
      hasMore === true
        ? "Fini did not return all agents in one answer: the others are only in Fini's dashboard."
        : '',
    ];
    const nextCalls = agents.slice(0, PROPOSED_AGENTS).map(({ id, name }) => ({
      tool: 'get_knowledge_tree',
      arguments: { botId: id },
      why: `See the folders of ${name === undefined ? 'this agent' : JSON.stringify(name)}`,
    }));
    return { message: paragraph(...sentences), nextCalls, agents };
  },
});
