/** A connection whose stream a test plays by hand. */

import { type ConnectionLimits, MessageConnection } from '../../lib/message/message-connection.ts';
import { DetectingCodecFinder } from '../../lib/message/protocol.ts';
import { TurnBudget } from '../../lib/message/scheduler.ts';
import { type ReadingBudgets, ServerReading } from '../../lib/message/server-reading.ts';
import { ServerCodec } from '../../lib/wire/server-codec.ts';
import { ManualStream } from './manual-stream.ts';

const LIMITS: ConnectionLimits = { hardOutputBytes: 1_000, closeTimeoutMs: 60_000 };
const SOFT_OUTPUT_BYTES = 100;

/** The longest message that the connections take. */
export const MAX_MESSAGE_BYTES = 500;

/** Handles a message of a connection. */
export type Handler = (message: Record<string, unknown>, connection: MessageConnection) => void;

const UNLIMITED: ReadingBudgets = {
  batches: new TurnBudget(Number.POSITIVE_INFINITY),
  ends: new TurnBudget(Number.POSITIVE_INFINITY),
};

const streams: ManualStream[] = [];

/** A connection over a manual stream, and the events that it reported. */
export function connectionThat(
  handle: Handler,
  budgets: Partial<ReadingBudgets> = UNLIMITED,
  totalInputBytes: number = Number.POSITIVE_INFINITY,
): { stream: ManualStream; connection: MessageConnection; told: string[] } {
  const stream = new ManualStream();
  const told: string[] = [];
  const connection: MessageConnection = new MessageConnection(
    stream,
    new DetectingCodecFinder((bytes) => {
      if (bytes[0] === 0x7b) return new ServerCodec(MAX_MESSAGE_BYTES);
      if (bytes[0] !== 0x20) connection.destroy();
      return undefined;
    }),
    LIMITS,
    {
      message: (message) => {
        told.push(JSON.stringify(message));
        handle(message as Record<string, unknown>, connection);
      },
      malformed: ({ message }) => told.push(message.replace(/: .*/, '')),
      broken: () => {
        told.push('broken');
        connection.send({ last: 'word' });
      },
      finished: () => told.push('finished'),
      closed: (error) => told.push(error === undefined ? 'closed' : `closed: ${error.message}`),
    },
    new ServerReading(
      {
        softOutputBytes: SOFT_OUTPUT_BYTES,
        totalOutputBytes: Number.POSITIVE_INFINITY,
        messageTimeoutMs: 60_000,
        totalInputBytes,
      },
      { ...UNLIMITED, ...budgets },
    ),
  );
  connection.start();
  streams.push(stream);
  return { stream, connection, told };
}

/** Ends the connections of a test. */
export function closeStreams(): void {
  for (const stream of streams.splice(0)) stream.close();
}
