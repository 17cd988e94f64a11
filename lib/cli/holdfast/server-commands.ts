/** The commands that tell of the server as a whole, and those that take something away. */

import type { LockClient } from '../../client/lock-client.ts';
import { LockDeniedError } from '../../client/lock-error.ts';
import type { LockMode } from '../../protocol.ts';
import { HOLDFAST_CODES } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { showName, table } from './format.ts';
import { ask, print, printJson, type QueryOptions } from './query.ts';

const PAGE = 1_000;

/** `holdfast stats`: the counters of the server; those of refusals, requests and their answers only where they are not 0. */
export async function stats(options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const { refusals, requests, notOk, ...counts } = await client.stats();
    if (options.json === true) {
      printJson([{ ...counts, refusals, requests, notOk }]);
      return undefined;
    }
    const plain = Object.entries(counts).filter(([, value]) => typeof value === 'number');
    const told = (prefix: string, each: Readonly<Record<string, number>>): [string, number][] =>
      Object.entries(each).flatMap(([name, value]) => (value === 0 ? [] : [[`${prefix} ${name}`, value]]));
    const all = [...plain, ...told('request', requests), ...told('refused', refusals)];
    for (const [command, statuses] of Object.entries(notOk)) all.push(...told(`request ${command}`, statuses));
    print(
      table(
        ['COUNTER', 'VALUE'],
        all.map(([name, value]) => [name, String(value)]),
      ),
    );
    return undefined;
  });
}

/** `holdfast who`: the clients that have a name. Resolves to 1 when there are none. */
export async function who(name: string | undefined, options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    let count = 0;
    for await (const page of namedClients(client, name)) {
      count += page.length;
      if (options.json === true) printJson(page);
      else for (const each of page) print(`${showName(each.address)}  ${showName(each.name)}\n`);
    }
    return count === 0 ? HOLDFAST_CODES.nothing : undefined;
  });
}

interface NamedClient {
  readonly name: string;
  readonly address: string;
}

/** Page by page. Throws a `Failure` when the server does not tell. */
async function* namedClients(client: LockClient, name: string | undefined): AsyncGenerator<readonly NamedClient[]> {
  for (let after: unknown = 0; after !== undefined; ) {
    const { status, clients, next } = await client.rpc('who', { after, max: PAGE, name });
    if (status !== 'ok') throw new Failure(HOLDFAST_CODES.denied, `who was refused: ${status}`);
    yield clients as readonly NamedClient[];
    after = next;
  }
}

/** What a command line of `release` says. */
export interface ReleaseOptions extends QueryOptions {
  readonly permit?: true;
}

/** `holdfast release`: takes a lock away from all its holders. Resolves to 1 when nobody held it. */
export async function release(name: string, options: ReleaseOptions): Promise<number> {
  return await ask(options, async (client) => {
    const mode: LockMode = options.permit === true ? 'permit' : 'exclusive';
    const released = await asOperator(client.forceUnlock(name, { mode }));
    if (options.json === true) printJson([{ lockName: name, released }]);
    else print(`${showName(name)}: ${released === 0 ? 'nobody held it' : `taken away from ${released}`}\n`);
    return released === 0 ? HOLDFAST_CODES.nothing : undefined;
  });
}

/** `holdfast kill`: ends the sessions of a client, by its name or its address. Resolves to 1 when there is none. */
export async function kill(subject: string, options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const ended = async () => (await client.kill({ address: subject })) || (await client.kill({ name: subject }));
    const killed = await asOperator(ended());
    if (options.json === true) printJson([{ client: subject, killed }]);
    else print(`${showName(subject)}: ${killed === 0 ? 'no such client' : `ended ${killed}`}\n`);
    return killed === 0 ? HOLDFAST_CODES.nothing : undefined;
  });
}

/** Resolves as the request does. Rejects with a `Failure` that tells where it is allowed when the server denies it. */
async function asOperator(request: Promise<number>): Promise<number> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof LockDeniedError)) throw error;
    throw new Failure(HOLDFAST_CODES.denied, `${error.message}; ${WHERE_ALLOWED}`);
  }
}

const WHERE_ALLOWED = 'the server allows it on a listener for operators, such as its Unix socket: --server unix:PATH';

/** `holdfast cluster`: which servers there are, and which one leads. */
export async function cluster(options: QueryOptions): Promise<number> {
  return await ask(options, async (client) => {
    const { nodes, epoch, sessions, etcd, ...rest } = await client.cluster();
    if (options.json === true) {
      printJson([{ ...rest, nodes, epoch, sessions, etcd }]);
      return undefined;
    }
    print(
      table(
        ['NODE', 'ADDRESS', 'ROLE'],
        nodes.map(({ node, address, role }) => [showName(node), showName(address), role]),
      ),
    );
    print(
      `epoch ${epoch}; ${sessions} sessions on record; etcd ${etcd.version} at ${etcd.endpoint} answers in ${etcd.lagMs} ms\n`,
    );
    print('To have another server lead, send SIGUSR2 to the process of the leader.\n');
    return undefined;
  });
}
