import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { MonitoredServer } from './monitored-server.ts';

describe('the HTTP listener', () => {
  afterEach(endTest);

  it('answers an address, localhost or a listed name in Host, and refuses any other', async () => {
    const server = await MonitoredServer.start();
    for (const host of [
      '127.0.0.1',
      '10.1.2.3:80',
      '[::1]:20935',
      'localhost',
      'LOCALHOST:1',
      'locks.example',
      'locks.example.:80',
    ]) {
      expect((await server.get('livez', { headers: { host } })).status, host).to.equal(200);
    }
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'a:b:c',
      '[evil]',
      '[::1',
    ]) {
      const { status, text } = await server.get('livez', { headers: { host } });
      expect([status, text.startsWith('refused: the Host')], host).to.deep.equal([403, true]);
    }
    expect(server.refusals[0]).to.deep.equal({
      reason: 'host',
      address: '127.0.0.1',
      why: 'the Host of an HTTP request is "evil.example"',
      remedy: 'add the name to "http.hosts" in the settings',
    });
  });

  it('answers GET only, no unknown path, and lets no other page read it', async () => {
    const server = await MonitoredServer.start();
    expect(await server.get('livez', { method: 'POST' })).to.deep.include({
      status: 405,
      text: 'the method is POST; expected GET\n',
    });
    expect((await server.get('nothing')).status).to.equal(404);
    const { headers } = await server.get('api/status', { headers: { origin: 'http://evil.example' } });
    expect(headers).not.to.have.property('access-control-allow-origin');
    expect(headers['content-security-policy']).to.match(/^default-src 'none'; .*frame-ancestors 'none'$/);
  });

  it('closes connections from addresses that are not allowed, and those above the limit', async () => {
    const closed = await MonitoredServer.start({}, { isAllowed: (address) => address !== '127.0.0.1' });
    const error = await closed.get('livez').catch((reason: NodeJS.ErrnoException) => reason.code);
    expect(error).to.equal('ECONNRESET');
    expect(closed.refusals.map(({ reason, address }) => [reason, address])).to.deep.equal([['allowList', '127.0.0.1']]);
    const small = await MonitoredServer.start({}, { maxConnections: 1 });
    const { port } = new URL(small.url);
    const first = connect(Number(port), '127.0.0.1');
    await once(first, 'connect');
    expect(await small.get('livez').catch((reason: NodeJS.ErrnoException) => reason.code)).to.equal('ECONNRESET');
    first.destroy();
  });

  it('closes a connection that asks before it has its answer, and forgets what that asked for', async () => {
    const server = await MonitoredServer.start();
    const { port } = new URL(server.url);
    const eager = connect(Number(port), '127.0.0.1');
    eager.on('error', () => {}).resume();
    eager.write('GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(40));
    await once(eager, 'close');
    const page = get(`${server.url}api/events`, { agent: false });
    const [{ statusCode }] = await once(page, 'response');
    page.destroy();
    expect(statusCode).to.equal(200);
  });

  it('answers one request after another on a connection', async () => {
    const server = await MonitoredServer.start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answers = await Promise.all(
      ['metrics', 'livez', 'metrics', 'livez'].map((path) => server.get(path, { agent })),
    );
    agent.destroy();
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
  });

  it('refuses headers that are too long', async () => {
    const server = await MonitoredServer.start();
    expect((await server.get('livez', { headers: { long: 'x'.repeat(17_000) } })).status).to.equal(431);
  });
});
