import { request } from 'node:http';
import { expect } from 'chai';
import type { CounterServer } from '../support/counter-server.ts';
import { messageScope } from '../support/message-scope.ts';
import { parseAddress } from '../support/parse-address.ts';
import { refusalsOf } from '../support/refusals.ts';

const COMMANDS = '{"command":"add","id":1}\n{"command":"add"}\n';

describe('MessageServer: HTTP requests and other protocols', () => {
  const scope = messageScope();
  let server: CounterServer;

  beforeEach(async () => {
    server = await scope.startServer();
  });

  async function expectNothingDone(reason: string): Promise<void> {
    const bystander = await scope.connectPeer();
    await bystander.settle();
    expect(server.requestCounts).to.include({ add: 0, ping: 1 });
    expect(server.count).to.equal(0);
    expect(refusalsOf(server.counters)).to.deep.equal({ [reason]: 1 });
    const [line, ...more] = scope.logger.at('warn');
    expect(line?.details).to.deep.equal({ reason, address: '127.0.0.1' });
    expect(line?.message).to.match(/^refused a connection from 127\.0\.0\.1: it [^\n]+$/);
    expect(more).to.deep.equal([]);
  }

  const first: [string, string, string][] = [
    ['GET', 'GET /{"command":"add"} HTTP/1.1\r\nHost: x\r\n\r\n', 'http'],
    ['POST', `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${COMMANDS.length}\r\n\r\n`, 'http'],
    ['PUT over HTTP/1.0', 'PUT / HTTP/1.0\r\n\r\n', 'http'],
    ['OPTIONS', 'OPTIONS * HTTP/1.1\r\n\r\n', 'http'],
    ['a method of one capital letter', 'G / HTTP/1.1\r\n\r\n', 'unknownProtocol'],
    ['lower-case get', 'get / HTTP/1.1\r\n\r\n', 'unknownProtocol'],
    ['lower-case post', 'post / HTTP/1.1\r\n\r\n', 'unknownProtocol'],
    ['a method after blank lines', '\r\n\r\n POST / HTTP/1.1\r\n\r\n', 'http'],
    ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http'],
    ['the beginning of TLS', '\x16\x03\x01', 'tlsUnexpected'],
    ['a byte that TLS begins with', '\x16\x02', 'unknownProtocol'],
    ['a list', '[', 'unknownProtocol'],
    ['a string', '"{"\n', 'unknownProtocol'],
    ['a byte order mark', '\ufeff', 'unknownProtocol'],
    ['a number', '1\n', 'unknownProtocol'],
  ];
  for (const [what, bytes, reason] of first) {
    it(`closes a connection that begins with ${what}, and carries out nothing`, async () => {
      const peer = await scope.connectPeer();
      peer.write(`${bytes}${COMMANDS}`);
      await peer.closed;
      expect(peer.bytesReceived).to.equal(0);
      await expectNothingDone(reason);
    });
  }

  it('carries out nothing of a body that comes later', async () => {
    const peer = await scope.connectPeer();
    peer.write('POST / HTTP/1.1\r\n');
    await server.until(() => server.ended.length === 1);
    peer.write(`\r\n${COMMANDS}`);
    await peer.closed;
    expect(peer.bytesReceived).to.equal(0);
    await expectNothingDone('http');
  });

  it('closes the connection of a request with commands in its body', async () => {
    const failure = await new Promise<Error>((resolve, reject) => {
      const sent = request({ ...parseAddress(scope.address), method: 'POST', path: '/', agent: false });
      sent.on('error', resolve);
      sent.on('response', () => reject(new Error('there was a response')));
      sent.end(COMMANDS);
    });
    expect(failure).to.have.property('code').that.is.oneOf(['ECONNRESET', 'EPIPE']);
    await expectNothingDone('http');
  });
});
