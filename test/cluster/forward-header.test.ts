import { expect } from 'chai';
import { encodeForwardHeader, parseForwardHeader } from '../../lib/cluster/forward-header.ts';
import { parseProxyHeader } from '../../lib/transports/proxy-header.ts';

const OPTIONS = { protocols: ['line'], dialect: 'glockd' };

describe('the header of a forwarded connection', () => {
  for (const peer of ['10.1.2.3:50123', '[2001:db8::1]:443', '[::1]:1', '[fe80::1%eth0]:9', 'unix:7']) {
    it(`tells of the client ${peer}`, () => {
      const header = encodeForwardHeader('secret', { peer, options: OPTIONS });
      const parsed = parseForwardHeader(Buffer.concat([header, Buffer.from('g foo\n')]));
      expect(parsed).to.deep.equal({ length: header.length, secret: 'secret', origin: { peer, options: OPTIONS } });
    });
  }

  it('is one of the PROXY protocol, with the address of the client', () => {
    const address = (peer: string): unknown => {
      const header = parseProxyHeader(encodeForwardHeader('secret', { peer, options: {} }));
      return typeof header === 'string' ? header : header.source;
    };
    expect(address('10.1.2.3:50123')).to.deep.equal({ address: '10.1.2.3', port: 50_123 });
    expect(address('[2001:db8::a:1]:443')).to.deep.equal({ address: '2001:db8::a:1', port: 443 });
    expect(address('unix:7')).to.equal(undefined);
  });

  it('comes in pieces of any size', () => {
    const header = encodeForwardHeader('secret', { peer: '10.1.2.3:50123', options: {} });
    for (let length = 0; length < header.length; length += 1)
      expect(parseForwardHeader(header.subarray(0, length)), `${length} bytes`).to.equal('partial');
  });

  it('is broken without a secret, or when it is of a proxy of another kind', () => {
    const plain = Buffer.from('PROXY TCP4 10.1.2.3 10.1.2.4 50123 20934\r\n');
    const binary = Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x20, 0, 0, 0])]);
    for (const bytes of [plain, binary, Buffer.from('{"command":"lock"}\n')])
      expect(parseForwardHeader(bytes), bytes.toString('latin1')).to.equal('broken');
  });
});
