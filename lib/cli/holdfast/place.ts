/** Where the server is, by the options that all commands have and by the environment. */

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { LockClient, type LockClientOptions } from '../../client/lock-client.ts';
import { SERVER_EXPECTED, serverPlaces } from '../../client/server-places.ts';
import type { DialTlsOptions } from '../../transports/tls.ts';
import { addServer } from '../arguments.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { Failure } from './failure.ts';

const DEFAULT_SERVER = '127.0.0.1:20934';
const CONNECT_TIMEOUT_MS = 10_000;

/** The options that all commands have. */
export interface PlaceOptions {
  readonly server?: readonly string[];
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsName?: string;
}

/** A server, or several of which one leads, and how to speak to them. */
export interface Place {
  readonly servers: readonly string[];
  readonly tls: DialTlsOptions | undefined;
}

/** Gives a command the options that say where the server is. */
export function addPlaceOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--server <address>',
        'HOST:PORT, unix:PATH, or a ws:// or wss:// URL; again for each of several (default: $HOLDFAST_SERVER, or 127.0.0.1:20934)',
      ).argParser(addServer),
    )
    .option('--tls', 'use TLS')
    .option('--tls-ca <file>', 'trust these authorities, in PEM, instead of the system’s; implies --tls')
    .option('--tls-cert <file>', 'the own certificate, if the server asks for one; implies --tls')
    .option('--tls-key <file>', 'its key')
    .option('--tls-name <name>', 'the name in the certificate of the server, if it is not the host’s');
}

/** @throws Failure when the environment names no server, or a file cannot be read. */
export function placeOf(options: PlaceOptions, environment: NodeJS.ProcessEnv = process.env): Place {
  const { server, tls: isTls, tlsCa, tlsCert, tlsKey, tlsName } = options;
  const servers = server ?? serversOf(environment.HOLDFAST_SERVER);
  const usesTls = isTls === true || tlsCa !== undefined || tlsCert !== undefined;
  if (!usesTls) return { servers, tls: undefined };
  const tls = { ca: readPem(tlsCa), cert: readPem(tlsCert), key: readPem(tlsKey), serverName: tlsName };
  return { servers, tls };
}

/** Connects a client. Rejects as `LockClient.connect` does. */
export async function connect({ servers, tls }: Place, options: LockClientOptions = {}): Promise<LockClient> {
  return await LockClient.connect(clientOptions({ servers, tls }, options));
}

/** The options of a client of that server. */
export function clientOptions({ servers, tls }: Place, options: LockClientOptions = {}): LockClientOptions {
  return { servers, tls, connectTimeoutMs: CONNECT_TIMEOUT_MS, ...options };
}

function serversOf(variable: string | undefined): readonly string[] {
  if (variable === undefined || variable === '') return [DEFAULT_SERVER];
  const servers = variable.split(',').map((each) => each.trim());
  try {
    serverPlaces(servers, undefined);
  } catch {
    const expected = `${SERVER_EXPECTED}, or several with commas between them`;
    throw new Failure(HOLDFAST_CODES.usage, `HOLDFAST_SERVER is ${JSON.stringify(variable)}; expected ${expected}`);
  }
  return servers;
}

function readPem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure(HOLDFAST_CODES.usage, (error as Error).message);
  }
}
