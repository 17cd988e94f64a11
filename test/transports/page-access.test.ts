import { expect } from 'chai';
import { PageAccess, parseListedHost, parseListedOrigin } from '../../lib/transports/page-access.ts';

const PAGE = 'https://intranet.example';

interface Handshake {
  readonly origin?: string | readonly string[];
  readonly host?: string | readonly string[];
}

describe('PageAccess', () => {
  /** The outcome of a handshake: `allowed`, or the status and reason of the refusal. */
  function outcome({ origin = [], host = '127.0.0.1:9998' }: Handshake, isSecure = false): string {
    const access = new PageAccess({ origins: [PAGE, 'http://[::1]:8080'], hosts: ['locks.example'], isSecure });
    const answer = access.answer({ origins: [origin].flat(), hosts: [host].flat() });
    return answer.kind === 'allowed' ? 'allowed' : `${answer.status} ${answer.cause.reason}`;
  }

  function everyOne(values: readonly string[], expected: string, handshake: (value: string) => Handshake): void {
    for (const value of values) expect(outcome(handshake(value)), value).to.equal(expected);
  }

  it('allows a program without an origin, under any name of the server', () => {
    const names = ['127.0.0.1', '[::1]:9998', 'localhost', 'locks.example', 'other.example:9998', 'lock_server', 'a.'];
    everyOne(names, 'allowed', (host) => ({ host }));
  });

  it('allows a listed origin, under any name of the server', () => {
    const names = ['127.0.0.1', 'localhost:9998', 'locks.example', 'other.example:9998'];
    everyOne(names, 'allowed', (host) => ({ host, origin: PAGE }));
  });

  it('compares a listed origin without regard to case and to the default port', () => {
    const same = ['HTTPS://Intranet.Example', `${PAGE}:443`, `${PAGE}.`, 'http://[0:0:0:0:0:0:0:1]:8080'];
    everyOne(same, 'allowed', (origin) => ({ origin, host: 'x' }));
  });

  it('refuses origins that only resemble a listed one', () => {
    const others = ['http://intranet.example', `${PAGE}:8443`, `${PAGE}:80`, `${PAGE}.evil.example`];
    everyOne([...others, 'https://x.intranet.example', 'http://[::1]'], '403 origin', (origin) => ({ origin }));
  });

  it("allows the server's own origin when it is called by an address, localhost or a listed name", () => {
    const names = ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]', '10.1.2.3', 'locks.example', 'Locks.Example.'];
    for (const name of names) {
      for (const [origin, host] of [
        [`http://${name}:9998`, `${name}:9998`],
        [`https://${name}:9998`, `${name}:9998`],
        [`http://${name}`, name],
        [`http://${name}:80`, name],
        [`http://${name}`, `${name}:80`],
        [`https://${name}`, `${name}:443`],
        [`https://${name}`, name],
        [`ws://${name}:9998`, `${name}:9998`],
      ] as const) {
        expect(outcome({ origin, host }), `${origin} at ${host}`).to.equal('allowed');
      }
    }
  });

  it('compares host and port in their normal form', () => {
    for (const [origin, host] of [
      ['http://LOCALHOST:9998', 'localhost:9998'],
      ['http://[0:0::1]:9998', '[::1]:9998'],
      ['http://[::1]:9998', '[0000::0001]:9998'],
      ['http://localhost.:9998', 'localhost:9998'],
      ['http://localhost:09998', 'localhost:9998'],
    ] as const) {
      expect(outcome({ origin, host }), `${origin} at ${host}`).to.equal('allowed');
    }
  });

  it('refuses the origin of another host or port', () => {
    for (const [origin, host] of [
      ['http://localhost:9998', '127.0.0.1:9998'],
      ['http://127.0.0.1:9998', '127.0.0.2:9998'],
      ['http://127.0.0.1:9999', '127.0.0.1:9998'],
      ['http://127.0.0.1', '127.0.0.1:9998'],
      ['http://127.0.0.1:9998', '127.0.0.1'],
      ['http://127.0.0.1', '127.0.0.1:443'],
      ['https://127.0.0.1', '127.0.0.1:80'],
      ['http://x.localhost:9998', 'localhost:9998'],
      ['http://[::1]:9998', '[::2]:9998'],
      ['ftp://127.0.0.1:9998', '127.0.0.1:9998'],
      ['chrome-extension://localhost', 'localhost'],
    ] as const) {
      expect(outcome({ origin, host }), `${origin} at ${host}`).to.equal('403 origin');
    }
  });

  it('refuses a page that let its own name point to this machine', () => {
    for (const name of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', 'x.locks.example', 'localhos']) {
      const hosts = [name, `${name}:9998`];
      everyOne(hosts, '403 host', (host) => ({ host, origin: `http://${host}` }));
    }
  });

  it('assumes the port of HTTPS on a listener with TLS', () => {
    expect(outcome({ origin: 'https://localhost', host: 'localhost' }, true)).to.equal('allowed');
    expect(outcome({ origin: 'http://localhost', host: 'localhost' }, true)).to.equal('403 origin');
    expect(outcome({ origin: 'http://localhost:443', host: 'localhost' }, true)).to.equal('allowed');
  });

  it('allows an origin with a path, since no browser sends one', () => {
    const hosts = ['http://localhost/', 'http://LOCALHOST/', 'https://evil.example/', 'http://[::1]/'];
    everyOne([...hosts, 'ws://a:1/b/c?d'], 'allowed', (origin) => ({ origin, host: 'other.example' }));
  });

  it('refuses malformed origins, for any host', () => {
    const wrong = ['null', 'NULL', '', ' ', '/', '*', 'localhost', '127.0.0.1:9998', '//localhost', 'http:', 'http://'];
    const files = ['file://', 'file:///', 'file:///index.html', 'http:///', 'about:blank', 'data:text/html,x'];
    const odd = [
      ...['http://a b/', 'http://a, http://b/', 'http://a http://b/', 'http://user@localhost/'],
      ...['http://evil.example\\/', 'http://evil.example?/', 'http://evil.example#/', 'http://localhost:99999'],
      ...['http://localhost:', 'http://localhost:x', 'http://[::1', 'http://[::x]/', 'http://%zz/'],
      ...['chrome-extension://abc/', 'capacitor://localhost/', 'null/', 'null://x', `http://${'a'.repeat(5_000)}`],
    ];
    everyOne([...wrong, ...files, ...odd], '403 origin', (origin) => ({ origin }));
  });

  it('refuses several origins, even when each may connect', () => {
    expect(outcome({ origin: [PAGE, PAGE] })).to.equal('403 origin');
    expect(outcome({ origin: ['http://localhost/', PAGE] })).to.equal('403 origin');
  });

  it('refuses a handshake without one host that is a name or an address', () => {
    const names = ['', ' ', ':9998', 'a b', 'a,b', 'user@a', 'a/b', 'a:x', 'a:99999', 'a:1:2', '%'];
    const wrong = [...names, '[::1', '::1', '[::x]'];
    for (const origin of [[], PAGE, 'http://localhost/']) {
      for (const host of [...wrong, [], ['localhost', 'localhost']]) {
        expect(outcome({ host, origin }), JSON.stringify(host)).to.equal('400 webSocketHandshake');
      }
    }
  });

  it('says the mistake and the remedy, and shortens long values', () => {
    const access = new PageAccess({ origins: [], hosts: [], isSecure: false });
    const causeOf = (origin: string, host: string): object => {
      const answer = access.answer({ origins: [origin], hosts: [host] });
      return answer.kind === 'refused' ? answer.cause : answer;
    };
    expect(causeOf('HTTPS://Evil.example:443', 'localhost')).to.deep.equal({
      reason: 'origin',
      why: 'pages of "https://evil.example" are not allowed',
      remedy: 'add "https://evil.example" to "origins" in the settings',
    });
    expect(causeOf('http://Evil.example:9998', 'evil.example:9998')).to.deep.equal({
      reason: 'host',
      why: 'a page calls the server "evil.example", which is not allowed',
      remedy: 'add "evil.example" to "hosts" in the settings',
    });
    const { why } = causeOf(`x${'y'.repeat(10_000)}`, 'localhost') as { readonly why: string };
    expect(why).to.match(/^the Origin of its handshake is "xy+\.\.\., which cannot be allowed$/);
    expect(why).to.have.lengthOf.below(200);
  });

  it('lists origins as browsers say them', () => {
    for (const [given, listed] of [
      ['https://Intranet.EXAMPLE', 'https://intranet.example'],
      ['https://intranet.example/', 'https://intranet.example'],
      ['https://intranet.example:443', 'https://intranet.example'],
      ['http://intranet.example:8080/', 'http://intranet.example:8080'],
      ['http://[0::1]:80', 'http://[::1]'],
      ['https://m\u00fcnchen.example', 'https://xn--mnchen-3ya.example'],
      ['chrome-extension://abcdef', 'chrome-extension://abcdef'],
      ['file://', 'file://'],
    ] as const) {
      expect(parseListedOrigin(given), given).to.equal(listed);
    }
  });

  it('lists no origin that a page cannot have', () => {
    const paths = ['https://intranet.example/app', 'https://', 'https://*.example'];
    for (const wrong of ['null', '', '*', 'intranet.example', ...paths]) {
      expect(() => parseListedOrigin(wrong), wrong).to.throw(TypeError, `${JSON.stringify(wrong)} is no origin`);
    }
  });

  it('lists hosts by name, without a port', () => {
    expect(parseListedHost('Locks.Example.')).to.equal('locks.example');
    expect(parseListedHost('[0::1]')).to.equal('::1');
    for (const wrong of ['', 'locks.example:9998', 'https://locks.example', 'a b', '*', '*.example']) {
      expect(() => parseListedHost(wrong), wrong).to.throw(TypeError, `${JSON.stringify(wrong)} is no host name`);
    }
  });
});
