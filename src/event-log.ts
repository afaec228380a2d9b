/** How much of one session is kept for a client that comes back, in characters of JSON. */
const MAXIMUM_CHARACTERS = 1_000_000;

interface Event<Message> {
  readonly streamId: string;
  readonly message: Message;
  readonly characters: number;
}

/**
 * The latest messages of one session, so that a client whose connection broke can ask for those it
 * missed (MCP's `Last-Event-ID`). The oldest are forgotten past a bound.
 */
export class EventLog<Message> {
  readonly #events = new Map<string, Event<Message>>();
  #count = 0;
  #characters = 0;

  /** Keeps a message. The answer is its ID. */
  storeEvent(streamId: string, message: Message): Promise<string> {
    this.#count += 1;
    const id = `${streamId}_${this.#count}`;
    const { length: characters } = JSON.stringify(message);
    this.#events.set(id, { streamId, message, characters });
    this.#characters += characters;
    for (const [oldest, event] of this.#events) {
      // The newest is kept in any case: it may be the answer that is waited for.
      if (this.#characters <= MAXIMUM_CHARACTERS || oldest === id) break;
      this.#events.delete(oldest);
      this.#characters -= event.characters;
    }
    return Promise.resolve(id);
  }

  /** The stream that an event belongs to; undefined where it is unknown or forgotten. */
  getStreamIdForEventId(id: string): Promise<string | undefined> {
    return Promise.resolve(this.#events.get(id)?.streamId);
  }

  /** Sends again what came after an event on its stream. The answer is the stream's ID. */
  async replayEventsAfter(
    lastId: string,
    { send }: { send: (id: string, message: Message) => Promise<void> },
  ): Promise<string> {
    const streamId = this.#events.get(lastId)?.streamId;
    if (streamId === undefined) return '';
    let isAfter = false;
    for (const [id, event] of [...this.#events]) {
      if (isAfter && event.streamId === streamId) await send(id, event.message);
      if (id === lastId) isAfter = true;
    }
    return streamId;
  }
}
