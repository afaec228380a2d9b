import { ChatAnthropic } from '@langchain/anthropic';
import { driveWith } from './langchain.mjs';

export function drive(job) {
  const anthropicApiUrl = job.url;
  return driveWith(new ChatAnthropic({ model: 'stand-in', apiKey: 'none', anthropicApiUrl }), job);
}
