import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { LockLostError } from '../../lib/client/lock-error.ts';
import type { Dialer } from '../../lib/message/byte-stream.ts';
import { dialTcp } from '../../lib/transports/tcp.ts';
import { SystemProgram } from '../foreign/system-program.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { type ServerProgram, startServerProgram } from '../server/running-program.ts';
import { freePort } from '../support/free-port.ts';
import { blockFor } from './blocked-loop.ts';
import { lazyClient, whenLost } from './client-scene.ts';

const RELAY: string = fileURLToPath(new URL('../transports/far-relay-program.js', import.meta.url));

const HOST = '127.0.0.1';
const TIMEOUT_MS = 1_000;
/** Longer than the session lasts without a connection. */
const BLOCK_MS = 1_500;
const SESSION = { session: { timeoutMs: TIMEOUT_MS }, reconnect: { minDelayMs: 1, maxDelayMs: 20 } };

describe('after the event loop of a client was blocked for longer than its session lasts', () => {
  const folder = folderForEachTest();

  function start(): Promise<ServerProgram> {
    return startServerProgram('--config', folder.writeSettings({ limits: { minSessionTimeoutMs: TIMEOUT_MS } }));
  }

  it('S6: it is certain again, and kept its lock, if the connection lives', async () => {
    const { port } = await start();
    const client = lazyClient({ port, ...SESSION });
    const handle = await client.lock('jobs');
    const other = lazyClient({ port });
    other.lock('jobs').catch(() => {});
    await other.rpc('ping');
    blockFor(BLOCK_MS);
    expect(handle.isHeld).to.equal(false);
    expect(() => handle.throwIfLost())
      .to.throw(LockLostError)
      .with.property('code', 'unconfirmed');
    expect(await handle.confirm()).to.equal(true);
    expect(handle.isHeld).to.equal(true);
    expect(handle.signal.aborted).to.equal(false);
    const { holders, waiterCount } = await other.inspect('jobs');
    expect(holders.map(({ token }) => token)).to.deep.equal([handle.token]);
    expect(waiterCount).to.equal(1);
  });

  it('S6: it is not sure at the first look, if the server died meanwhile', async () => {
    const { program, port } = await start();
    const client = lazyClient({ port, ...SESSION });
    const handle = await client.lock('jobs');
    const lost = whenLost(handle);
    killSoon(program);
    blockFor(BLOCK_MS);
    expect(handle.isHeld).to.equal(false);
    expect(() => handle.throwIfLost())
      .to.throw(LockLostError)
      .with.property('code', 'unconfirmed');
    await lost;
    expect(await handle.confirm()).to.equal(false);
  });

  it('S6: it hands out no grant that lay in the socket, if the server died meanwhile', async () => {
    const { program, port } = await start();
    const client = lazyClient({ port, ...SESSION });
    const held = await lazyClient({ port }).lock('jobs');
    const waiting = client.lock('jobs', { waitMs: 2_000 });
    waiting.catch(() => {});
    await client.rpc('ping');
    const released = held.release();
    // The grant arrives, then the server dies, while this process does nothing.
    killSoon(program);
    await nextWrite(released);
    blockFor(BLOCK_MS);
    const result = await waiting.then(
      () => 'granted',
      (error) => error.code,
    );
    expect(result).to.equal('unreachable');
  });

  it('S6: it relies on nothing that others have since, if its connection was cut meanwhile', async () => {
    const { port } = await start();
    const relayPort = await freePort();
    const relay = new SystemProgram(process.execPath, [RELAY, String(relayPort), HOST, String(port)]);
    await relay.nextLine();
    // Over TCP, so that what was received can be read though the connection has ended.
    const dial = firstBy(dialTcp({ host: HOST, port: relayPort }), dialTcp({ host: HOST, port }));
    const client = lazyClient({ dial, ...SESSION });
    const other = lazyClient({ port });
    const handle = await client.lock('held');
    const held = await other.lock('next');
    const lost = whenLost(handle);
    const waiting = client.lock('next');
    waiting.catch(() => {});
    await client.rpc('ping');
    const taken = [other.lock('held'), other.lock('next')] as const;
    await other.rpc('ping');
    const released = held.release();
    // The grant arrives, then the connection ends, while this process does nothing.
    killSoon(relay);
    await nextWrite(released);
    blockFor(BLOCK_MS);
    expect(handle.isHeld).to.equal(false);
    const [one, another] = await Promise.all(taken);
    // The token in between was granted to the blocked client.
    expect([one.token, another.token]).to.have.members([held.token + 2, held.token + 3]);
    expect(await lost).to.include({ name: 'LockLostError' });
    await another.release();
    expect((await waiting).token).to.equal(held.token + 4);
  });
});

/** Kills a program in a while, also when this process does nothing. */
function killSoon({ pid }: SystemProgram): void {
  spawn('sh', ['-c', `sleep 0.5; kill -9 ${pid}`], { stdio: 'ignore' });
}

/** Lets the promise's request go out. */
async function nextWrite(released: Promise<unknown>): Promise<void> {
  await Promise.race([released, new Promise((resolve) => setImmediate(resolve))]);
}

/** Opens the first connection in one way, all others in another. */
function firstBy(first: Dialer, others: Dialer): Dialer {
  let dial = first;
  return (...args) => {
    const chosen = dial;
    dial = others;
    return chosen(...args);
  };
}
