/** The commands that a server serves: each with its schema and the method that carries it out. */

import type { MessageId } from './message-session.ts';
import { type JsonSchema, SchemaCompiler, type Validator } from './validation.ts';

/** How one command is called. */
export interface CommandDefinition {
  /** The JSON schema of `parameters`, an object. */
  readonly parameters: JsonSchema;
  /** Refuse requests without an id: for commands whose effect the client must learn of. */
  readonly needsId?: boolean;
  /** The result never comes later, so that it is served to a session with however many pending requests. */
  readonly isImmediate?: boolean;
}

/** Commands by name: `lock` is carried out by `commandLock`. */
export type CommandTable = Readonly<Record<string, CommandDefinition>>;

/** A handler returns the result, a promise of it, or a `PendingResult`. Few of them care for the request's id. */
export type CommandHandler = (session: unknown, parameters: unknown, id: MessageId | undefined) => object;

/** One command, ready to be called. */
export interface Command {
  readonly name: string;
  readonly needsId: boolean;
  readonly isImmediate: boolean;
  readonly validator: Validator;
  /** A method of `server`. To call a bound one would cost a call more. */
  readonly handler: CommandHandler;
  readonly server: object;
  requestCount: number;
}

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
      isImmediate: definition.isImmediate ?? false,
      requestCount: 0,
      validator: compiler.compile({ type: 'object', description: 'an object', ...definition.parameters }, 'parameters'),
      handler: method as CommandHandler,
      server,
    });
  }
  return commands;
}
