/**
 * An application of its own on the message server: counters that many clients share and watch.
 *
 *     node dist/examples/counter-server.js 4000
 *     {"command":"add","parameters":{"counter":"visits","by":2},"id":1}
 *     {"id":1,"result":{"status":"ok","value":2}}
 */

import { type CommandTable, type MessageConnection, MessageServer, MessageSession, RequestError, tcp } from 'holdfast';

const counter = { type: 'string', minLength: 1, maxLength: 100, description: 'a string of 1 to 100 characters' };

/** Each is carried out by the method that bears its name: `add` by `commandAdd`. */
const COMMANDS: CommandTable = {
  add: {
    parameters: {
      properties: { counter, by: { type: 'integer', description: 'a whole number' } },
      required: ['counter'],
      additionalProperties: false,
    },
  },
  get: { parameters: { properties: { counter }, required: ['counter'], additionalProperties: false } },
  watch: { parameters: { properties: { counter }, required: ['counter'], additionalProperties: false } },
};

const MAX_COUNTERS = 1_000;

/** What the server remembers of one client. */
class CounterSession extends MessageSession {
  readonly watched: Set<string> = new Set<string>();
}

/** Serves counters. */
export class CounterServer extends MessageServer<CounterSession> {
  readonly #values = new Map<string, number>();

  constructor() {
    super({ commands: COMMANDS });
  }

  commandAdd(_session: CounterSession, { counter: name, by = 1 }: { counter: string; by?: number }): object {
    if (!this.#values.has(name) && this.#values.size >= MAX_COUNTERS) {
      throw new RequestError('limit', `there are ${MAX_COUNTERS} counters already`);
    }
    const value = (this.#values.get(name) ?? 0) + by;
    this.#values.set(name, value);
    for (const session of this.sessions) {
      if (session.watched.has(name)) session.sendEvent({ event: 'changed', counter: name, value });
    }
    return { status: 'ok', value };
  }

  commandGet(_session: CounterSession, { counter: name }: { counter: string }): object {
    return { status: 'ok', value: this.#values.get(name) ?? 0 };
  }

  /** From now on the client is told of every change. */
  commandWatch(session: CounterSession, { counter: name }: { counter: string }): object {
    session.watched.add(name);
    return { status: 'ok' };
  }

  protected override createSession(connection: MessageConnection): CounterSession {
    return new CounterSession(connection);
  }
}

const port = process.argv[2];
if (port !== undefined) {
  const server = new CounterServer();
  const listener = tcp({ host: '127.0.0.1', port: Number(port), allowed: ['127.0.0.1'] });
  console.log(`counters at ${await server.listen(listener)}`);
}
