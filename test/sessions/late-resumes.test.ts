import { expect } from 'chai';
import { DelayingProxy } from '../client/delaying-proxy.ts';
import { RawClient } from '../server/raw-client.ts';
import { serverForEachTest } from '../server/running-server.ts';
import { open, resume, type Told } from './session-scene.ts';

describe('a resume that comes late', () => {
  const server = serverForEachTest();

  /** Resumes with a number that is no greater than the last; returns once the server has closed the connection. */
  async function resumeLate({ id, secret }: Told, attempt: number): Promise<void> {
    const late = await server.connect();
    const session = { id, secret, attempt };
    late.send({ command: 'hello', parameters: { protocol: 1, session }, id: 1 }, { command: 'unlockAll', id: 2 });
    late.socket.end();
    expect(await late.rest()).to.deep.equal([]);
  }

  it('S1: is closed and changes nothing when its number is not above that of the last', async () => {
    const [first, witness] = await server.connectTwo();
    const session = await open(first);
    const token = await first.take('jobs');
    const second = await server.connect();
    expect(await resume(second, session, { holds: [token], attempt: 2 })).to.include({ state: 'resumed' });
    const more = await second.take('more');
    for (const attempt of [1, 2]) await resumeLate(session, attempt);
    expect(await second.ask('ping')).to.deep.equal({ status: 'ok' });
    expect(await witness.ask('stats')).to.include({ holders: 2, resumedSessions: 1 });
    const third = await server.connect();
    const has = { holds: [token, more], attempt: 3 };
    expect(await resume(third, session, has)).to.deep.include({ state: 'resumed', lost: [] });
  });

  it('S1: is closed as well when the session was resumed without a number since', async () => {
    const session = await open(await server.connect());
    for (const has of [{ attempt: 1 }, {}]) {
      expect(await resume(await server.connect(), session, has)).to.include({ state: 'resumed' });
    }
    await resumeLate(session, 1);
  });

  it('is refused a number that cannot be one', async () => {
    const client = await server.connect();
    const session = { id: 'x', secret: 'x', attempt: 0 };
    expect(await client.ask('hello', { protocol: 1, session })).to.deep.include({
      status: 'invalid',
      message: 'parameters.session.attempt is 0; expected a whole number from 1',
    });
  });

  it('S1: is told from the current one by the number that our client sends', async () => {
    const proxy = await DelayingProxy.start(server.port);
    const client = await server.client({ port: proxy.port, reconnect: { minDelayMs: 1, maxDelayMs: 20 } });
    const handles = [await client.lock('jobs')];
    for (let time = 0; time < 2; time += 1) {
      const resumed = new Promise<void>((resolve) => client.once('resume', resolve));
      proxy.reset();
      await resumed;
    }
    handles.push(await client.lock('more'));
    const resumes = proxy.sent.split('\n').filter((line) => line.includes('"secret"'));
    expect(resumes).to.have.length(2);
    for (const line of resumes) {
      const late = await RawClient.connect(server.port);
      late.write(`${line}\n`);
      late.socket.end();
      expect(await late.rest()).to.deep.equal([]);
    }
    for (const handle of handles) expect(await handle.confirm()).to.equal(true);
    expect(await client.stats()).to.include({ holders: 2, resumedSessions: 2 });
  });
});
