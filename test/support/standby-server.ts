/** Stands for a server that stands by: it answers `hello` as the test says, and grants nothing. */

import type { Listener } from '../../lib/message/byte-stream.ts';
import type { MessageConnection } from '../../lib/message/message-connection.ts';
import { MessageServer } from '../../lib/message/message-server.ts';
import { MessageSession } from '../../lib/message/message-session.ts';
import { LOCK_COMMANDS } from '../../lib/server/lock-commands.ts';
import { tcp } from '../../lib/transports/tcp.ts';
import { whenTestEnds } from '../server/clean-up.ts';
import { LOOPBACK, portOf } from '../server/running-server.ts';
import { RecordingLogger } from './recording-logger.ts';

const { hello, ping } = LOCK_COMMANDS;

/** What it says to those who say `hello`. */
export type StandbyAnswer =
  | { readonly status: 'elsewhere'; readonly address: string }
  | { readonly status: 'unavailable'; readonly reason: 'noLeader' | 'noQuorum' };

/** The answer of a server that knows of no leader. */
export const NO_LEADER: StandbyAnswer = { status: 'unavailable', reason: 'noLeader' };

/** Closed when the test ends. */
export class StandbyServer extends MessageServer {
  port = 0;
  answer: StandbyAnswer;
  /** The parameters of each `hello` so far. */
  readonly hellos: object[] = [];

  private constructor(answer: StandbyAnswer) {
    super({ commands: { hello, ping } as typeof LOCK_COMMANDS, logger: new RecordingLogger() });
    this.answer = answer;
  }

  static async start(answer: StandbyAnswer = NO_LEADER, listener: Listener = tcp(LOOPBACK)): Promise<StandbyServer> {
    const server = new StandbyServer(answer);
    whenTestEnds(() => server.close());
    server.port = portOf(await server.listen(listener));
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Sends its clients to another port of this machine. */
  redirectTo(port: number): void {
    this.answer = { status: 'elsewhere', address: `127.0.0.1:${port}` };
  }

  commandHello(_session: MessageSession, parameters: object): object {
    this.hellos.push(parameters);
    return this.answer;
  }

  commandPing(): object {
    return { status: 'ok' };
  }

  protected override createSession(connection: MessageConnection): MessageSession {
    return new MessageSession(connection);
  }
}
