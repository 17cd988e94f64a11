import { expect } from 'chai';
import { lookAtFirst } from '../../lib/cluster/first-message.ts';

const LIMITS = { maxMessageValues: 100 };

function look(text: string): ReturnType<typeof lookAtFirst> {
  return lookAtFirst(Buffer.from(text, 'latin1'), LIMITS);
}

describe('what a standby makes of the first bytes of a connection', () => {
  it('sends a client elsewhere that says in its hello that it can go there', () => {
    const hello = '{"command":"hello","parameters":{"redirect":true},"id":7}\n';
    expect(look(hello)).to.deep.equal({ id: 7, canRedirect: true });
    expect(look(` \r\n${hello}`)).to.deep.equal({ id: 7, canRedirect: true });
  });

  it('forwards every other message', () => {
    expect(look('{"command":"hello","id":"a"}\n')).to.deep.equal({ id: 'a', canRedirect: false });
    expect(look('{"command":"lock","parameters":{"redirect":true},"id":1}\n')).to.deep.equal({
      id: 1,
      canRedirect: false,
    });
    expect(look('{"no":"JSON"\n')).to.deep.equal({ id: undefined, canRedirect: false });
    expect(look('{}\n')).to.deep.equal({ id: undefined, canRedirect: false });
  });

  it('forwards lines and frames by their first byte', () => {
    expect(look('g')).to.deep.equal({ id: undefined, canRedirect: false });
    expect(look('\0')).to.deep.equal({ id: undefined, canRedirect: false });
  });

  it('waits for the whole message, but not for one of more than 16 kB', () => {
    expect(look('')).to.equal('partial');
    expect(look(' \n')).to.equal('partial');
    expect(look('{"command":"hello"')).to.equal('partial');
    expect(look(`{"${'x'.repeat(16_384)}`)).to.deep.equal({ id: undefined, canRedirect: false });
  });

  it('does not parse a message of very many values', () => {
    const hello = `{"command":"hello","parameters":{"redirect":true,"more":[${'1,'.repeat(100)}1]},"id":7}\n`;
    expect(look(hello)).to.deep.equal({ id: undefined, canRedirect: false });
  });

  it('turns away what is none of our protocols', () => {
    for (const text of [
      'GET / HTTP/1.1\r\n',
      '\x16\x03\x01',
      'PROXY TCP4 ',
      '\r\n\r\n\0\r\nQUIT\n',
      ' '.repeat(16_385),
    ])
      expect(look(text), text).to.equal('foreign');
  });
});
