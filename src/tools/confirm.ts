import { createHash } from 'node:crypto';
import {
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Confirmation, Question } from './tool.ts';

/** How long a person has to answer a question. */
const QUESTION_TIMEOUT_MS = 10 * 60_000;

/** The name of the question in what a client of 2026 answers. */
const QUESTION = 'confirmation';

/**
 * Ends a call with a question: a client of 2026 asks the person and makes the call again, with the
 * answer, and with the digest of what the person was asked about.
 */
export class QuestionAsked extends Error {
  override readonly name = 'QuestionAsked';
  readonly result: InputRequiredResult;

  constructor({ message, subject }: Question) {
    super(message);
    const requestedSchema = { type: 'object' as const, properties: {} };
    const question = inputRequired.elicit({ mode: 'form', message, requestedSchema });
    this.result = inputRequired({
      inputRequests: { [QUESTION]: question },
      requestState: digestOf(subject),
    });
  }
}

/** What a client says of how it can ask the person. */
const elicitationSchema = z
  .object({ elicitation: z.object({ form: z.unknown(), url: z.unknown() }).partial().optional() })
  .catch({});
/** The same in a request of 2026, which says it each time. */
const envelopeSchema = z.object({ [CLIENT_CAPABILITIES_META_KEY]: elicitationSchema });

/**
 * Asks the person, on the call's own stream: over HTTP a client need not have another open.
 *
 * @param again Makes the question again after the person has agreed, who may have thought for long: if
 *   its subject is another one by then, the person is asked about that. Null where nothing is left to
 *   ask about.
 * @throws {QuestionAsked} where the client asks before it makes the call again.
 */
export async function askPerson(
  server: Server,
  { mcpReq }: ServerContext,
  question: Question,
  again: () => Promise<Question | null> = async () => question,
): Promise<Confirmation> {
  const { envelope, inputResponses, send, signal } = mcpReq;
  const isModern = envelope !== undefined;
  const { elicitation } = isModern
    ? envelopeSchema.parse(envelope)[CLIENT_CAPABILITIES_META_KEY]
    : elicitationSchema.parse(server.getClientCapabilities());
  if (elicitation === undefined) return 'unasked';
  // A client that only opens pages cannot ask.
  if (elicitation.form === undefined && elicitation.url !== undefined) return 'unasked';
  if (isModern) {
    const response = inputResponse(inputResponses, QUESTION);
    if (response.kind !== 'elicit') throw new QuestionAsked(question);
    if (response.action !== 'accept') return 'declined';
    // The client sends it back as it was, so a plain digest will do: it could as well answer for the
    // person.
    if (mcpReq.requestState() !== digestOf(question.subject)) throw new QuestionAsked(question);
    return 'agreed';
  }
  for (let asked = question; ; ) {
    const { message } = asked;
    try {
      const requestedSchema = { type: 'object' as const, properties: {} };
      const params = { mode: 'form' as const, message, requestedSchema };
      // A person may take a while; the client decides how long it shows the question.
      const options = { signal, timeout: QUESTION_TIMEOUT_MS };
      const { action } = await send({ method: 'elicitation/create', params }, options);
      if (action !== 'accept') return 'declined';
    } catch (error) {
      if (signal.aborted) throw error;
      return 'unanswered';
    }
    const now = await again();
    if (now === null || digestOf(now.subject) === digestOf(asked.subject)) return 'agreed';
    asked = now;
  }
}

function digestOf(subject: unknown): string {
  return createHash('sha256').update(JSON.stringify(subject)).digest('base64');
}
