/** Asking a child process something, by a message that it answers with another one. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Sends the message and resolves to the next one that comes. Rejects when the process ends before. */
export async function askChild<Answer>(child: ChildProcess, message: object): Promise<Answer> {
  const answered = new AbortController();
  const { signal } = answered;
  const gone = once(child, 'exit', { signal }).then(() => {
    throw new Error('a process of the measurement ended by itself');
  });
  try {
    child.send(message);
    const [answer] = (await Promise.race([once(child, 'message', { signal }), gone])) as [Answer];
    return answer;
  } finally {
    answered.abort();
  }
}
