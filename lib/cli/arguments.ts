/** Parses the values of command line options. */

import { InvalidArgumentError } from 'commander';
import { SERVER_EXPECTED, serverPlaces } from '../client/server-places.ts';

const MAX_SECONDS = 1e9;

/** A TCP port; 0 is none, `auto` lets the system choose. */
export function parsePort(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const port = Number(text);
  if (!/^\d*$/.test(text) || port > 65_535) {
    throw new InvalidArgumentError('Expected a whole number from 0 to 65535, or auto.');
  }
  return port;
}

/** A TCP port to connect to. */
export function parseTargetPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError('Expected a whole number from 1 to 65535.');
  }
  return port;
}

/** A number of seconds. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds >= 0 && seconds <= MAX_SECONDS)) {
    throw new InvalidArgumentError(`Expected a number of seconds from 0 to ${MAX_SECONDS}.`);
  }
  return seconds;
}

/** The value of a flag: true or false. */
export function parseBoolean(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new InvalidArgumentError('Expected true or false.');
}

/** One more of several servers. */
export function addServer(address: string, others: readonly string[] = []): readonly string[] {
  try {
    serverPlaces([address], undefined);
  } catch {
    throw new InvalidArgumentError(`Expected ${SERVER_EXPECTED}.`);
  }
  return [...others, address];
}
