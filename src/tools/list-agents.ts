import * as z from 'zod';
import { counted, fitting, paragraph, shown, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';
import { defineTool } from './tool.ts';

/** How much the list may take, in bytes: clients hide longer results from their model. */
const LIST_BYTES = 50_000;

/** Who answers from articles (fini-api.md, "agents"). */
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
    message: z.string().describe('How many agents there are, and what to do next.'),
    agents: z
      .array(
        z.object({
          id: z.string().describe("The agent's ID: a botId."),
          name: z.string().optional(),
          createdAt: z.string().optional().describe('When it was created (ISO 8601).'),
        }),
      )
      .describe('The agents, newest first.'),
  }),
  async handler(_input, { fini, call }) {
    const { agents: all, unreadable, hasMore } = await fini.listAgents(call);
    const agents = fitting(
      all.map(({ id, name, createdAt }) => ({
        id,
        name: shown(name, TITLE_LENGTH),
        createdAt: shown(createdAt, WORD_LENGTH),
      })),
      LIST_BYTES,
    );
    const isWhole = unreadable === 0 && hasMore !== true;
    const parts = [
      all.length > 0
        ? `${counted(all.length, 'agent')}. To see the folders of one, call get_knowledge_tree with its ID as botId.`
        : isWhole
          ? "There are no agents yet. They are created in Fini's dashboard."
          : 'No agents can be shown.',
      agents.length < all.length
        ? `Only the first ${agents.length} are listed: the others are only in Fini's dashboard.`
        : '',
      unreadable > 0 ? `${counted(unreadable, 'agent')} without an ID left out.` : '',
      hasMore === true
        ? "Fini did not return all agents in one answer: the others are only in Fini's dashboard."
        : '',
    ];
    return { message: paragraph(...parts), agents };
  },
  text({ message, agents }) {
    const lines = agents.map(({ id, name, createdAt }) => {
      const created = createdAt === undefined ? '' : ` (created ${createdAt})`;
      return `- ${id}: ${name === undefined ? 'unnamed' : JSON.stringify(name)}${created}`;
    });
    return [message, ...lines].join('\n');
  },
});
