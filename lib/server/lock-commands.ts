/** The commands of the lock server and the schemas of their parameters. Routing uses this one table. */

import type { CommandTable } from '../message/command-table.ts';
import type { JsonSchema } from '../message/validation.ts';
import type { HistoryReason, LockMode, RequestId } from '../protocol.ts';
import { HISTORY_REASONS } from './history-source.ts';

/** The longest time on the wire, in seconds. Nobody needs a longer one. */
const MAX_SECONDS = 1e9;
const MAX_LISTED = 10_000;

const name: JsonSchema = { type: 'string', description: 'a string' };
const mode: JsonSchema = { enum: ['exclusive', 'shared', 'permit'], description: '"exclusive", "shared" or "permit"' };
const named: JsonSchema = { type: 'string', minLength: 1, description: 'a string that is not empty' };
const owner: JsonSchema = { type: 'string', description: 'a string' };
/** Beyond these limits, JSON parsing rounds whole numbers. */
const EXACT = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
const token: JsonSchema = { type: 'integer', ...EXACT, description: 'a whole number below 2^53' };
const flag: JsonSchema = { type: 'boolean', description: 'true or false' };
const fromOne: JsonSchema = {
  type: 'integer',
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'a whole number from 1',
};
const timeLimit: JsonSchema = {
  anyOf: [{ type: 'number', minimum: 0, maximum: MAX_SECONDS }, { const: false }],
  description: `a number of seconds from 0 to ${MAX_SECONDS}, or false for no limit`,
};
const lease: JsonSchema = {
  type: 'number',
  exclusiveMinimum: 0,
  maximum: MAX_SECONDS,
  description: `a number of seconds above 0, up to ${MAX_SECONDS}`,
};
const max: JsonSchema = {
  type: 'integer',
  minimum: 1,
  maximum: MAX_LISTED,
  description: `a whole number from 1 to ${MAX_LISTED}`,
};

function parameters(properties: Readonly<Record<string, JsonSchema>>, ...required: string[]): JsonSchema {
  return { properties, required, additionalProperties: false };
}

/** In the year 5138. */
const LAST_SECOND = 1e11;
const moment: JsonSchema = {
  type: 'number',
  minimum: 0,
  maximum: LAST_SECOND,
  description: `seconds since 1970, a number from 0 to ${LAST_SECOND}`,
};

const requestId: JsonSchema = {
  type: ['integer', 'string'],
  ...EXACT,
  description: 'the id of a request: a whole number between -2^53 and 2^53, or a string',
};
const session: JsonSchema = {
  type: 'object',
  description: 'an object',
  ...parameters({
    timeout: lease,
    id: name,
    secret: name,
    attempt: fromOne,
    anchor: flag,
    holds: { type: 'array', items: token, description: 'a list of tokens' },
    requests: {
      type: 'array',
      description: 'a list of requests',
      items: {
        anyOf: [
          requestId,
          { type: 'object', ...parameters({ id: requestId, locks: { type: 'integer', minimum: 1 } }, 'id', 'locks') },
        ],
        description: 'the id of a lock request, or {"id", "locks"} for one of so many locks',
      },
    },
  }),
};

/** `LockServer.commandLock` carries out `lock`, and so on. docs/architecture.md lists what a new command touches. */
export const LOCK_COMMANDS: CommandTable = {
  lock: {
    needsId: true,
    parameters: parameters(
      {
        lockName: name,
        mode,
        limit: fromOne,
        timeLimit,
        owner,
        lease,
        steal: flag,
        stealable: flag,
      },
      'lockName',
    ),
  },
  lockAll: {
    needsId: true,
    parameters: parameters(
      {
        locks: {
          type: 'array',
          minItems: 1,
          description: 'a list of one lock or more',
          items: {
            type: 'object',
            description: 'an object',
            ...parameters({ lockName: name, mode, limit: fromOne }, 'lockName'),
          },
        },
        timeLimit,
        owner,
        lease,
      },
      'locks',
    ),
  },
  unlock: { serving: 'atOnce', parameters: parameters({ lockName: name, mode, owner, token }) },
  unlockAll: { serving: 'atOnce', parameters: parameters({ owner }) },
  forceUnlock: { serving: 'atOnce', parameters: parameters({ lockName: name, mode }, 'lockName') },
  kill: { serving: 'atOnce', parameters: parameters({ address: named, name: named }) },
  cancel: {
    serving: 'atOnce',
    parameters: parameters(
      {
        id: requestId,
      },
      'id',
    ),
  },
  verify: { serving: 'atOnce', parameters: parameters({ lockName: name, token }, 'lockName', 'token') },
  inspect: { serving: 'inPages', parameters: parameters({ lockName: name, max }, 'lockName') },
  list: { serving: 'inPages', parameters: parameters({ prefix: name, after: name, max }) },
  history: {
    serving: 'inPages',
    parameters: parameters({
      lockName: name,
      prefix: name,
      since: moment,
      until: moment,
      reason: { enum: HISTORY_REASONS, description: `one of ${HISTORY_REASONS.join(', ')}` },
      after: { type: 'integer', ...EXACT, minimum: 0, description: 'the "next" of the page before' },
      max,
    }),
  },
  watch: { serving: 'atOnce', parameters: parameters({ lockName: name, prefix: name }) },
  survey: { serving: 'inPages', parameters: parameters({ max }) },
  stats: { parameters: parameters({}) },
  cluster: { parameters: parameters({}) },
  identify: { serving: 'atOnce', parameters: parameters({ name }, 'name') },
  whoami: { serving: 'atOnce', parameters: parameters({}) },
  who: {
    serving: 'inPages',
    parameters: parameters({
      name,
      after: { type: 'integer', ...EXACT, minimum: 0, description: 'the "next" of the page before' },
      max,
    }),
  },
  ping: { serving: 'atOnce', parameters: parameters({ confirm: flag }) },
  hello: {
    serving: 'atOnce',
    parameters: parameters(
      { protocol: { const: 1, description: '1' }, name, session, redirect: flag, confirm: flag },
      'protocol',
    ),
  },
  reclaim: {
    serving: 'atOnce',
    parameters: parameters(
      {
        holds: {
          type: 'array',
          description: 'a list of holds',
          items: {
            type: 'object',
            description: 'an object',
            ...parameters({ lockName: name, mode, owner, token, lease, stealable: flag }, 'lockName', 'token'),
          },
        },
        last: flag,
      },
      'holds',
    ),
  },
  bye: { serving: 'atOnce', parameters: parameters({}) },
};

/** The parameters of `lock`, once the schema has accepted them. */
export interface LockParameters {
  readonly lockName: string;
  readonly mode?: LockMode;
  readonly limit?: number;
  readonly timeLimit?: number | false;
  readonly owner?: string;
  readonly lease?: number;
  readonly steal?: boolean;
  readonly stealable?: boolean;
}

export interface LockAllParameters {
  readonly locks: readonly Pick<LockParameters, 'lockName' | 'mode' | 'limit'>[];
  readonly timeLimit?: number | false;
  readonly owner?: string;
  readonly lease?: number;
}

export interface ForceUnlockParameters {
  readonly lockName: string;
  readonly mode?: LockMode;
}

/** One of the two. */
export interface KillParameters {
  readonly address?: string;
  readonly name?: string;
}

export interface UnlockParameters {
  readonly lockName?: string;
  readonly mode?: LockMode;
  readonly owner?: string;
  readonly token?: number;
}

export interface UnlockAllParameters {
  readonly owner?: string;
}

export interface CancelParameters {
  readonly id: RequestId;
}

export interface VerifyParameters {
  readonly lockName: string;
  readonly token: number;
}

export interface InspectParameters {
  readonly lockName: string;
  readonly max?: number;
}

export interface ListParameters {
  readonly prefix?: string;
  readonly after?: string;
  readonly max?: number;
}

export interface HistoryParameters {
  readonly lockName?: string;
  readonly prefix?: string;
  /** Seconds since 1970. */
  readonly since?: number;
  readonly until?: number;
  readonly reason?: HistoryReason;
  readonly after?: number;
  readonly max?: number;
}

export interface SurveyParameters {
  readonly max?: number;
}

/** Which locks to watch: those that fit all that is given, and all locks if nothing is. */
export interface WatchParameters {
  readonly lockName?: string;
  readonly prefix?: string;
}

export interface IdentifyParameters {
  readonly name: string;
}

export interface WhoParameters {
  readonly name?: string;
  readonly after?: number;
  readonly max?: number;
}

export interface PingParameters {
  /** Answer only once it is certain that this server leads the others (C3). */
  readonly confirm?: boolean;
}

export interface HelloParameters extends PingParameters {
  readonly protocol: 1;
  readonly name?: string;
  readonly session?: SessionParameters;
  /** The client can go to another server: only one that stands by looks at this. */
  readonly redirect?: boolean;
}

/** A new session, or one to resume: then with its id and secret, and all that the client has. */
export interface SessionParameters {
  /** Seconds. */
  readonly timeout?: number;
  readonly id?: string;
  readonly secret?: string;
  /** Grows with each `hello` of the client that names the session. */
  readonly attempt?: number;
  /** Keep the session while this connection is open, and leave the one that speaks for it alone. */
  readonly anchor?: boolean;
  /** The tokens of the holds. */
  readonly holds?: readonly number[];
  /** The requests that the client still wants answered. */
  readonly requests?: readonly (RequestId | { readonly id: RequestId; readonly locks: number })[];
}

/** What a client held in an earlier run of the server. */
export interface ReclaimParameters {
  readonly holds: readonly ReclaimedHold[];
  /** Whether that is all. */
  readonly last?: boolean;
}

export interface ReclaimedHold extends Pick<LockParameters, 'lockName' | 'mode' | 'owner' | 'lease' | 'stealable'> {
  readonly token: number;
}
