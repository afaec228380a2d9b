import { ChatOpenAI } from '@langchain/openai';
import { driveWith } from './langchain.mjs';

export function drive(job) {
  const configuration = { baseURL: `${job.url}/v1` };
  return driveWith(new ChatOpenAI({ model: 'stand-in', apiKey: 'none', configuration }), job);
}
