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

/** Time for a person to answer a question, in milliseconds. */
const QUESTION_TIMEOUT_MS = 10 * 60_000;

/** The name of the question in the answer from a client of 2026. */
const QUESTION = 'confirmation';

/**
 * Ends a call with a question. A client of 2026 asks the person and makes the call again, with the
 * answer, and with the digest of the question's subject.
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
      requestState: subjectDigest(subject),
    });
  }
}

/** The ways in which a client can ask the person, from its capabilities. */
const elicitationSchema = z
  .object({ elicitation: z.object({ form: z.unknown(), url: z.unknown() }).partial().optional() })
  .catch({});
/** The same in a request of 2026, which has the capabilities each time. */
const elicitationEnvelope = z.object({ [CLIENT_CAPABILITIES_META_KEY]: elicitationSchema });

/**
 * Asks the person. A client of 2025 over HTTP cannot be asked: its capabilities are not known, and
 * there is no way for its answer to come back.
 *
 * @param again Makes the question again after the person has agreed, possibly after a long time: if its
 *   subject has changed by then, the person is asked about the new one. Null if nothing is left to ask
 *   about.
 * @throws {QuestionAsked} if the client asks before it makes the call again.
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
    ? elicitationEnvelope.parse(envelope)[CLIENT_CAPABILITIES_META_KEY]
    : elicitationSchema.parse(server.getClientCapabilities());
  if (elicitation === undefined) return 'unasked';
  // A client that can only open pages cannot ask.
  if (elicitation.form === undefined && elicitation.url !== undefined) return 'unasked';
  if (isModern) {
    const response = inputResponse(inputResponses, QUESTION);
    if (response.kind !== 'elicit') throw new QuestionAsked(question);
    if (response.action !== 'accept') return 'declined';
    // An unkeyed digest is enough: a client that forges it could forge the person's answer too.
    if (mcpReq.requestState() !== subjectDigest(question.subject))
      throw new QuestionAsked(question);
    return 'agreed';
  }
  for (let asked = question; ; ) {
    const { message } = asked;
    try {
      const requestedSchema = { type: 'object' as const, properties: {} };
      const params = { mode: 'form' as const, message, requestedSchema };
      // A person may take long; the client decides for how long it shows the question.
      const options = { signal, timeout: QUESTION_TIMEOUT_MS };
      const { action } = await send({ method: 'elicitation/create', params }, options);
      if (action !== 'accept') return 'declined';
    } catch (error) {
      if (signal.aborted) throw error;
      return 'unanswered';
    }
    const now = await again();
    if (now === null || subjectDigest(now.subject) === subjectDigest(asked.subject))
      return 'agreed';
    asked = now;
  }
}

/**
 * Says, in the answer of a call that was carried out, that this server did not ask the person.
 *
 * @param flag The flag that lists the tool.
 */
export function consentText(confirmation: Confirmation, flag: string): string {
  return confirmation === 'unasked'
    ? `This client cannot be asked to confirm, so this relied on the server's ${flag} and on the client's own approval of the call.`
    : '';
}

/** A short text that differs for any other subject. */
export function subjectDigest(subject: unknown): string {
  return createHash('sha256').update(JSON.stringify(subject)).digest('base64');
}
