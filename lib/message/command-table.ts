/** The commands that a server serves: each with its schema and the method that carries it out. */

import type { MessageId } from './message-session.ts';
import { type JsonSchema, SchemaCompiler, type Validator } from './validation.ts';

/** The rules for calling one command. */
export interface CommandDefinition {
  /** The JSON schema of `parameters`, an object. */
  readonly parameters: JsonSchema;
  /** Refuses requests without an id. For commands whose result the client must learn. */
  readonly needsId?: boolean;
  /**
   * `atOnce`: the command is served however many requests are pending; a local lock manager answers it at once. `inPages`: it
   * costs more the more it tells, so it is served behind the client's other listings, and in slices. Otherwise it may wait.
   */
  readonly serving?: Serving;
}

export type Serving = 'atOnce' | 'mayWait' | 'inPages';

/** Commands by name: `lock` is carried out by `commandLock`. */
export type CommandTable = Readonly<Record<string, CommandDefinition>>;

/** A handler returns the result, a promise of it, or a `PendingResult`. */
export type CommandHandler = (session: unknown, parameters: unknown, id: MessageId | undefined) => object;

/** One command, ready to be called. */
export interface Command {
  readonly name: string;
  readonly needsId: boolean;
  readonly serving: Serving;
  readonly validator: Validator;
  /** A method of `server`, not bound to it: a bound method would cost one more call. */
  readonly handler: CommandHandler;
  readonly server: object;
  requestCount: number;
  /** How often it was answered with another status than `ok`, by status. */
  readonly notOkCounts: Map<string, number>;
}

const MAX_STATUSES = 32;

/** Compiling schemas takes longer than all else that makes a server, so servers with the same commands share the result. */
const validators = new WeakMap<JsonSchema, Validator>();

/**
 * Finds the handler of each command on the server. Only names in the table ever lead to a method.
 * @throws Error when a method is missing.
 */
export function bindCommands(table: CommandTable, server: object): ReadonlyMap<string, Command> {
  const commands = new Map<string, Command>();
  const compiler = new SchemaCompiler();
  for (const [name, definition] of Object.entries(table)) {
    const methodName = `command${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const method: unknown = Reflect.get(server, methodName);
    if (typeof method !== 'function') throw new Error(`command ${name} has no method ${methodName}`);
    commands.set(name, {
      name,
      needsId: definition.needsId ?? false,
      serving: definition.serving ?? 'mayWait',
      requestCount: 0,
      notOkCounts: new Map(),
      validator: validatorFor(definition.parameters, compiler),
      handler: method as CommandHandler,
      server,
    });
  }
  return commands;
}

/** Counts an answer with another status than `ok`. A handler may think of any number of them. */
export function countNotOk({ notOkCounts }: Command, status: string): void {
  const counted = notOkCounts.has(status) || notOkCounts.size < MAX_STATUSES ? status : 'other';
  notOkCounts.set(counted, (notOkCounts.get(counted) ?? 0) + 1);
}

function validatorFor(parameters: JsonSchema, compiler: SchemaCompiler): Validator {
  let validator = validators.get(parameters);
  if (validator === undefined) {
    validator = compiler.compile({ type: 'object', description: 'an object', ...parameters }, 'parameters');
    validators.set(parameters, validator);
  }
  return validator;
}
