/** Starts the programs of this package. */

import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SystemProgram } from '../foreign/system-program.ts';

/** A server in a process of its own. */
export interface ServerProgram {
  readonly program: SystemProgram;
  readonly port: number;
  /** The line that it prints when it is ready. */
  readonly startLine: string;
}

/** A server in a process of its own, and its addresses. */
export interface ListeningProgram {
  readonly program: SystemProgram;
  /** The line that it prints when it is ready. */
  readonly startLine: string;
  readonly addresses: readonly string[];
  /** The ports of those addresses that have one, in their order. */
  readonly ports: readonly number[];
}

/** Starts a program in `bin/`; it is killed when the test ends. */
export function startProgram(script: string, ...args: readonly string[]): SystemProgram {
  return new SystemProgram(process.execPath, [script, ...args]);
}

/** Starts a server that must not listen, and expects its exit code and complaint. */
export async function expectStartFails(
  script: 'bin/server.js' | 'bin/glockd.js',
  code: number,
  complaint: RegExp,
  ...args: readonly string[]
): Promise<SystemProgram> {
  const program = startProgram(script, ...args);
  const outcome = await Promise.race([program.exit, program.nextLine().catch(() => program.exit)]);
  expect(outcome, args.join(' ')).to.deep.equal({ code, signal: null });
  expect(program.output).to.equal('');
  expect(program.errorOutput).to.match(complaint);
  return program;
}

/** Starts a server and waits until it listens. */
export async function startListening(
  script: 'bin/server.js' | 'bin/glockd.js',
  ...args: readonly string[]
): Promise<ListeningProgram> {
  const program = startProgram(script, ...args);
  const startLine = await program.nextLine();
  const list = / on (.*?), (?:allowed: |for this machine only )/.exec(startLine)?.[1];
  if (list === undefined) throw new Error(`the server said ${startLine}`);
  const addresses = list.split(', ');
  const ports = addresses.map((address) => Number(/:(\d+)$/.exec(address)?.[1])).filter((port) => port > 0);
  return { program, startLine, addresses, ports };
}

/** Starts `bin/server.js` on a port that the system chooses. */
export async function startServerProgram(...args: readonly string[]): Promise<ServerProgram> {
  const { program, startLine, ports } = await startListening('bin/server.js', '--port', 'auto', ...args);
  return { program, port: ports[0] as number, startLine };
}

/** Expects that a process has no more rights than the user 65534 of the group 65534. */
export function expectNobody({ pid }: SystemProgram): void {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  expect(status).to.match(/^Uid:\t65534\t65534\t65534\t65534$/m);
  expect(status).to.match(/^Gid:\t65534\t65534\t65534\t65534$/m);
  expect(status).to.match(/^Groups:\t65534 $/m);
}
