import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import type { LockServer } from '../../lib/server/lock-server.ts';
import { endTest } from '../server/clean-up.ts';
import { makeServer, untilConnections } from '../server/running-server.ts';
import type { StreamPeer } from './peers.ts';
import { TRANSPORTS } from './transports.ts';

const METHODS = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'PRI', 'QUERY', 'PROPFIND'],
  ...['M-SEARCH', 'G', 'R', 'I', 'SG', 'SR', 'SI', 'Q', 'D', 'IAM', 'X'],
];
const TARGETS = ['/', '*', 'localhost:80', 'http://localhost/', '/g%20jobs', '/?{"command":"lock"}'];
/** TLS, whose connections take long to open, has the first only. */
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0'];
const COMMANDS = [
  'g jobs',
  'sg jobs',
  'iam cron',
  '{"command":"lock","parameters":{"lockName":"jobs"},"id":1}',
  '{"command":"identify","parameters":{"name":"cron"},"id":2}',
  '',
].join('\n');
const FRAME = '\0\0\0\x40{"command":"lock","parameters":{"lockName":"jobs"},"id":3}      ';

/** Requests with a proper first line. */
function requests(versions: readonly string[]): string[] {
  const lines: string[] = [];
  for (const method of [...METHODS, ...METHODS.map((name) => name.toLowerCase())]) {
    for (const version of versions) lines.push(`${method} / ${version}`);
  }
  for (const method of ['GET', 'g', 'sg', 'iam']) {
    for (const target of TARGETS) lines.push(`${method} ${target} HTTP/1.1`);
  }
  const body = COMMANDS + FRAME;
  return lines.map(
    (line) => `${line}\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

/** Other input that resembles HTTP. */
const OTHERS: Readonly<Record<string, string>> = {
  'with an empty line before it': `\r\ng / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${COMMANDS}`,
  'with blank lines before it': ` \r\n\t\n\r\ng / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${COMMANDS}`,
  'with lines that end in newlines only': `g / HTTP/1.1\nHost: 127.0.0.1\n\n${COMMANDS}`,
  'with much white space between its words': `g    /   HTTP/1.1  \r\nHost: 127.0.0.1\r\n\r\n${COMMANDS}`,
  'with a short first line': `g HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n${COMMANDS}`,
  'for another upgrade': `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n${COMMANDS}`,
  'that expects to be told to go on': `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
  'in chunks': `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ng jobs\n\r\n0\r\n\r\n`,
  'whose body never comes': 'POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\ng jobs\n',
};

for (const transport of TRANSPORTS) {
  describe(`an HTTP request to ${transport.name}`, () => {
    let server: LockServer;
    let connect: () => Promise<StreamPeer<Duplex>>;

    beforeEach(async () => {
      server = makeServer();
      connect = (await transport.listen(server)).connectRaw;
    });
    afterEach(endTest);

    /** Expects that the server closes the connection without an answer and without any effect. */
    async function isRefused(request: string): Promise<void> {
      const peer = await connect();
      peer.socket.write(request, 'latin1');
      expect(await peer.rest(), request).to.match(transport.canHalfClose ? /^$/ : /^(HTTP\/1\.1 [14]\d\d .*)?$/s);
      await untilConnections(server, 0);
      expect(server.commandStats(), request).to.deep.include({ grants: 0, holders: 0 });
    }

    it('of any method, in upper or lower case, with commands in its body, is closed without effect', async () => {
      const versions = transport.name.includes('TLS') ? VERSIONS.slice(0, 1) : VERSIONS;
      for (const request of requests(versions)) await isRefused(request);
    });

    for (const [what, request] of Object.entries(OTHERS)) {
      it(`${what} is closed without effect`, () => isRefused(request));
    }
  });
}
