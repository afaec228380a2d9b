/** How much of one session is kept for a client that comes back, in characters of JSON. */
const SESSION_CHARACTERS = 1_000_000;
/** How many messages of one session are kept. */
const SESSION_EVENTS = 1_000;
/** How much is kept of all sessions together. */
const TOTAL_CHARACTERS = 32_000_000;
/** What keeping a message costs beside its text. */
const EVENT_CHARACTERS = 200;

/** The logs of all sessions, which share a bound: past it the longest log loses its oldest messages. */
export class EventLogs<Message> {
  readonly #logs = new Set<EventLog<Message>>();
  readonly #limit: number;
  #characters = 0;

  /** @param limit How much is kept in sum, in characters. */
  constructor(limit = TOTAL_CHARACTERS) {
    this.#limit = limit;
  }

  /** How much is kept now, in characters. */
  get characters(): number {
    return this.#characters;
  }

  /** The log of a new session. */
  open(): EventLog<Message> {
    const log = new EventLog<Message>((change) => {
      this.#characters += change;
      if (change < 0) return;
      while (this.#characters > this.#limit && this.#dropFromLongest());
    });
    this.#logs.add(log);
    return log;
  }

  /** Forgets what a session's log holds, and keeps no more of it. */
  close(log: EventLog<Message>): void {
    log.close();
    this.#logs.delete(log);
  }

  #dropFromLongest(): boolean {
    let longest: EventLog<Message> | undefined;
    for (const log of this.#logs) {
      if (longest === undefined || log.characters > longest.characters) longest = log;
    }
    return longest?.dropOldest() ?? false;
  }
}

interface Event {
  readonly streamId: string;
  /** As JSON, whose size is known. */
  readonly json: string;
}

/**
 * The latest messages of one session, so that a client whose connection broke can ask for those it
 * missed (MCP's `Last-Event-ID`). The oldest are forgotten past a bound.
 */
export class EventLog<Message> {
  readonly #events = new Map<string, Event>();
  readonly #onChange: (characters: number) => void;
  #count = 0;
  #characters = 0;
  #isClosed = false;

  /** @param onChange Told by how much the log has grown or shrunk. */
  constructor(onChange: (characters: number) => void = () => undefined) {
    this.#onChange = onChange;
  }

  /** How much is kept now, in characters. */
  get characters(): number {
    return this.#characters;
  }

  /** Keeps a message. The answer is its ID. */
  storeEvent(streamId: string, message: Message): Promise<string> {
    this.#count += 1;
    const id = `${streamId}_${this.#count}`;
    if (this.#isClosed) return Promise.resolve(id);
    const event = { streamId, json: JSON.stringify(message) };
    this.#events.set(id, event);
    this.#resize(sizeOf(event));
    while (this.#isFull()) this.dropOldest();
    return Promise.resolve(id);
  }

  /** Forgets the oldest message. The answer is whether there was one. */
  dropOldest(): boolean {
    for (const [id, event] of this.#events) {
      this.#events.delete(id);
      this.#resize(-sizeOf(event));
      return true;
    }
    return false;
  }

  /** Forgets everything, and keeps no more. */
  close(): void {
    this.#isClosed = true;
    while (this.dropOldest());
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
      if (isAfter && event.streamId === streamId) await send(id, JSON.parse(event.json));
      if (id === lastId) isAfter = true;
    }
    return streamId;
  }

  #isFull(): boolean {
    // The newest is kept beyond the session's bound: it may be the answer that is waited for.
    if (this.#events.size <= 1) return false;
    return this.#characters > SESSION_CHARACTERS || this.#events.size > SESSION_EVENTS;
  }

  #resize(change: number): void {
    this.#characters += change;
    this.#onChange(change);
  }
}

function sizeOf({ json }: Event): number {
  return json.length + EVENT_CHARACTERS;
}
