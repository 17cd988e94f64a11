/** The two dialects of the line protocol: their commands and their replies. */

import type { LineReply } from './line-codec.ts';

/** `glockd`, or `lockd` as spoken by the PHP original and elockd. */
export type Dialect = 'glockd' | 'lockd';

/** The replies of one dialect. */
export interface LineTexts {
  /** Whether a holder that asks for its lock again gets the success reply. */
  readonly getsAgain: boolean;
  getSuccess(name: string): LineReply;
  getFailure(name: string): LineReply;
  releaseSuccess(name: string): LineReply;
  releaseFailure(name: string): LineReply;
  isLocked(name: string): LineReply;
  notLocked(name: string): LineReply;
  sharedGetSuccess(name: string, count: number): LineReply;
  sharedGetFailure(name: string): LineReply;
  sharedReleaseSuccess(name: string): LineReply;
  sharedReleaseFailure(name: string): LineReply;
  sharedIsLocked(name: string, count: number): LineReply;
  sharedNotLocked(name: string): LineReply;
}

const COMMANDS: readonly string[] = ['g', 'r', 'i', 'sg', 'sr', 'si', 'q'];

/** The commands and replies of the original servers. */
export const DIALECTS: Readonly<Record<Dialect, { readonly commands: readonly string[]; readonly texts: LineTexts }>> =
  {
    glockd: {
      commands: [...COMMANDS, 'd', 'sd', 'dump', 'me', 'iam', 'who'],
      texts: {
        getsAgain: true,
        getSuccess: named('1 Lock Get Success: '),
        getFailure: named('0 Lock Get Failure: '),
        releaseSuccess: named('1 Lock Release Success: '),
        releaseFailure: named('0 Lock Release Failure: '),
        isLocked: named('1 Lock Is Locked: '),
        notLocked: named('0 Lock Not Locked: '),
        sharedGetSuccess: counted('Shared Lock Get Success: '),
        sharedGetFailure: named('0 Shared Lock Get Failure: '),
        sharedReleaseSuccess: named('1 Shared Lock Release Success: '),
        sharedReleaseFailure: named('0 Shared Lock Release Failure: '),
        sharedIsLocked: counted('Shared Lock Is Locked: '),
        sharedNotLocked: named('0 Shared Lock Not Locked: '),
      },
    },
    lockd: {
      commands: COMMANDS,
      texts: {
        getsAgain: false,
        getSuccess: fixed('1 Got Lock'),
        getFailure: fixed('0 Cannot Get Lock'),
        releaseSuccess: fixed('1 Released Lock'),
        releaseFailure: fixed('0 Cannot Release Lock'),
        isLocked: fixed('1 Locked'),
        notLocked: fixed('0 Not Locked'),
        sharedGetSuccess: (_name, count) => line(`${count} Got Lock`),
        sharedGetFailure: fixed('0 Cannot Get Lock'),
        sharedReleaseSuccess: fixed('1 Released Lock'),
        sharedReleaseFailure: fixed('0 Cannot Release Lock'),
        sharedIsLocked: (_name, count) => line(`${count} Locked`),
        sharedNotLocked: fixed('0 Not Locked'),
      },
    },
  };

/** A reply of one line. */
export function line(text: string): LineReply {
  return { text: `${text}\n` };
}

function named(text: string): (name: string) => LineReply {
  return (name) => ({ text: `${text}${name}\n` });
}

function counted(text: string): (name: string, count: number) => LineReply {
  return (name, count) => line(`${count} ${text}${name}`);
}

function fixed(text: string): () => LineReply {
  const reply = line(text);
  return () => reply;
}
