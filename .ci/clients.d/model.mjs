// A stand-in for a model: an HTTP server on loopback that speaks like Anthropic and OpenAI. It asks
// for one tool call after another and keeps the results as a model would receive them.
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

/** The text of a tool result, which is a string or a list of blocks. */
function textOf(content) {
  if (typeof content === 'string') return content;
  return content
    .map(({ text, ...block }) => {
      if (text === undefined) throw new Error(`Not text for a model: ${JSON.stringify(block)}`);
      return text;
    })
    .join('\n');
}

/** Each API's format for listing tools, passing results by call ID, and answering. */
const APIS = {
  '/v1/messages': {
    tools: ({ tools = [] }) => tools.map(({ name }) => name),
    results: ({ messages }) =>
      messages
        .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
        .filter(({ type }) => type === 'tool_result')
        .map(({ tool_use_id, content }) => [tool_use_id, textOf(content)]),
    answer: (id, call) => ({
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model: 'stand-in',
      content: call
        ? [{ type: 'tool_use', id: `toolu_${id}`, name: call.name, input: call.input }]
        : [{ type: 'text', text: 'Done.' }],
      stop_reason: call ? 'tool_use' : 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
  },
  '/v1/chat/completions': {
    tools: ({ tools = [] }) => tools.map(({ function: { name } }) => name),
    results: ({ messages }) =>
      messages
        .filter(({ role }) => role === 'tool')
        .map(({ tool_call_id, content }) => [tool_call_id, textOf(content)]),
    answer: (id, call) => ({
      id: `chatcmpl_${id}`,
      object: 'chat.completion',
      created: 0,
      model: 'stand-in',
      choices: [
        {
          index: 0,
          finish_reason: call ? 'tool_calls' : 'stop',
          message: call
            ? {
                role: 'assistant',
                content: null,
                tool_calls: [
                  {
                    id: `call_${id}`,
                    type: 'function',
                    function: { name: call.name, arguments: JSON.stringify(call.input) },
                  },
                ],
              }
            : { role: 'assistant', content: 'Done.' },
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }),
  },
  '/v1/responses': {
    tools: ({ tools = [] }) => tools.map(({ name }) => name),
    results: ({ input }) =>
      input
        .filter(({ type }) => type === 'function_call_output')
        .map(({ call_id, output }) => [call_id, textOf(output)]),
    answer: (id, call) => ({
      id: `resp_${id}`,
      object: 'response',
      created_at: 0,
      model: 'stand-in',
      status: 'completed',
      output: [
        call
          ? {
              type: 'function_call',
              id: `fc_${id}`,
              call_id: `call_${id}`,
              status: 'completed',
              name: call.name,
              arguments: JSON.stringify(call.input),
            }
          : {
              type: 'message',
              id: `msg_${id}`,
              role: 'assistant',
              status: 'completed',
              content: [{ type: 'output_text', text: 'Done.', annotations: [] }],
            },
      ],
      usage: {
        input_tokens: 1,
        output_tokens: 1,
        total_tokens: 2,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens_details: { reasoning_tokens: 0 },
      },
    }),
  },
};

/** Starts a model that asks for these calls in turn and then says that it is done. */
export async function startModel(calls) {
  const tools = new Set();
  const results = new Map();
  const faults = [];

  const server = createServer(async (request, response) => {
    let status = 200;
    let answer;
    try {
      const { pathname } = new URL(request.url, 'http://loopback');
      const api = APIS[pathname];
      if (!api) throw new Error(`The stand-in has no ${pathname}`);
      const body = await json(request);
      if (body.stream) throw new Error('The stand-in does not stream');
      // Anthropic's tool runner sends only new messages, so earlier ones count too.
      for (const name of api.tools(body)) tools.add(name);
      for (const [id, text] of api.results(body)) results.set(id, text);
      answer = api.answer(results.size, calls[results.size]);
    } catch (error) {
      faults.push(error);
      // Clients don't retry this status.
      status = 400;
      answer = { error: { type: 'invalid_request_error', message: error.message } };
    }
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  });

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Returns the names of the tools and the texts of the results that the model has received. */
    given: () => ({ tools: [...tools], results: [...results.values()] }),
    /** Errors while reading requests. */
    faults,
    close: () => server.close().closeAllConnections(),
  };
}
