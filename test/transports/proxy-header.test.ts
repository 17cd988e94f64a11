import { expect } from 'chai';
import { type ProxyHeader, parseProxyHeader } from '../../lib/transports/proxy-header.ts';
import { binaryHeader, headerFor, lineFor } from './proxy-headers.ts';

/** What is behind a header belongs to the client. */
const MESSAGE = Buffer.from('{"command":"ping"}\r\n');
const NOBODY = undefined;

function parse(bytes: Uint8Array | string): ProxyHeader | 'partial' | 'broken' {
  return parseProxyHeader(Buffer.from(bytes as string));
}

function zeros(count: number): Buffer {
  return Buffer.alloc(count);
}

describe('a header of the PROXY protocol', () => {
  const headers: readonly [string, Buffer | string, ProxyHeader['source']][] = [
    ['for IPv4, as text', lineFor('192.0.2.7', 4711), { address: '192.0.2.7', port: 4711 }],
    ['for IPv6, as text', lineFor('2001:db8::7', 65_535), { address: '2001:db8::7', port: 65_535 }],
    ['for IPv6 in a long form', lineFor('2001:0DB8:0:0:0:0:0:7', 1), { address: '2001:db8::7', port: 1 }],
    ['for IPv4 as IPv6', lineFor('::ffff:192.0.2.7', 0), { address: '192.0.2.7', port: 0 }],
    [
      'of the longest addresses',
      `PROXY TCP6 ${Array(8).fill('ffff').join(':')} ${Array(8).fill('ffff').join(':')} 65535 65535\r\n`,
      { address: Array(8).fill('ffff').join(':'), port: 65_535 },
    ],
    ['for nobody known, as text', 'PROXY UNKNOWN\r\n', NOBODY],
    ['for nobody known, with whatever', 'PROXY UNKNOWN TCP4 nonsense \0\r\n', NOBODY],
    ['of 107 bytes, the longest line', `PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, NOBODY],
    ['for IPv4, in binary', headerFor('192.0.2.7', 4711), { address: '192.0.2.7', port: 4711 }],
    ['for IPv6, in binary', headerFor('2001:db8::a:7', 65_535), { address: '2001:db8::a:7', port: 65_535 }],
    ['for IPv4 as IPv6, in binary', headerFor('::ffff:c000:207', 9), { address: '192.0.2.7', port: 9 }],
    ['with more behind the addresses', headerFor('192.0.2.7', 1, 508), { address: '192.0.2.7', port: 1 }],
    ['of 4,096 bytes, the longest', headerFor('192.0.2.7', 1, 4_068), { address: '192.0.2.7', port: 1 }],
    ['of the proxy itself', binaryHeader(0x20, 0x00), NOBODY],
    ['of the proxy itself, with addresses', binaryHeader(0x20, 0x11, zeros(12)), NOBODY],
    ['of the proxy itself, with a family that is none', binaryHeader(0x20, 0xff, zeros(7)), NOBODY],
    ['for nobody known, in binary', binaryHeader(0x21, 0x00), NOBODY],
    ['for datagrams', binaryHeader(0x21, 0x12, zeros(12)), NOBODY],
    ['for datagrams over IPv6', binaryHeader(0x21, 0x22, zeros(36)), NOBODY],
    ['for a Unix socket', binaryHeader(0x21, 0x31, zeros(216)), NOBODY],
  ];
  for (const [kind, header, source] of headers) {
    it(`${kind} is taken whole, and nothing behind it`, () => {
      const bytes = Buffer.from(header as string);
      expect(parse(bytes)).to.deep.include({ length: bytes.length, source });
      expect(parse(Buffer.concat([bytes, MESSAGE]))).to.deep.include({ length: bytes.length, source });
    });

    it(`${kind} is partial at every length before its end`, () => {
      const bytes = Buffer.from(header as string);
      for (let length = 0; length < bytes.length; length += 1) {
        expect(parse(bytes.subarray(0, length)), `${length} bytes`).to.equal('partial');
      }
    });
  }

  const address = 'PROXY TCP4 192.0.2.7 10.0.0.1';
  const broken: readonly [string, Buffer | string][] = [
    ['a message', MESSAGE],
    ['an HTTP request', 'PUT / HTTP/1.1\r\n\r\n'],
    ['another word', 'PROXIES'],
    ['small letters', 'proxy TCP4'],
    ['white space before it', ' PROXY UNKNOWN\r\n'],
    ['another family', 'PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n'],
    ['no family', 'PROXY \r\n'],
    ['more than a word', 'PROXY UNKNOWNS\r\n'],
    ['two spaces', 'PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n'],
    ['a space at the end', `${address} 1 2 \r\n`],
    ['no ports', `${address}\r\n`],
    ['one port', `${address} 1\r\n`],
    ['a third port', `${address} 1 2 3\r\n`],
    ['a port that is too high', `${address} 65536 1\r\n`],
    ['a target port that is too high', `${address} 1 65536\r\n`],
    ['a port with a zero before it', `${address} 01 2\r\n`],
    ['a negative port', `${address} -1 2\r\n`],
    ['an address that is none', 'PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n'],
    ['an address with zeros before it', 'PROXY TCP4 192.0.02.7 10.0.0.1 1 2\r\n'],
    ['a target that is none', 'PROXY TCP4 192.0.2.7 x 1 2\r\n'],
    ['IPv6 said to be IPv4', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
    ['IPv4 said to be IPv6', 'PROXY TCP6 192.0.2.7 10.0.0.1 1 2\r\n'],
    ['an address with a zone', 'PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n'],
    ['a line feed alone', `${address} 1 2\n`],
    ['a carriage return within', `${address}\r 1 2\r\n`],
    ['107 bytes without an end', `PROXY UNKNOWN ${'f'.repeat(93)}`],
    ['an end behind 107 bytes', `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`],
    ['version 1 in binary', binaryHeader(0x11, 0x11, zeros(12))],
    ['version 3', binaryHeader(0x31, 0x11, zeros(12))],
    ['another command', binaryHeader(0x22, 0x11, zeros(12))],
    ['another family in binary', binaryHeader(0x21, 0x41, zeros(216))],
    ['another protocol in binary', binaryHeader(0x21, 0x13, zeros(12))],
    ['too few bytes for IPv4', binaryHeader(0x21, 0x11, zeros(11))],
    ['too few bytes for IPv6', binaryHeader(0x21, 0x21, zeros(35))],
    ['too few bytes for Unix sockets', binaryHeader(0x21, 0x31, zeros(215))],
    ['more than 4,096 bytes', headerFor('192.0.2.7', 1, 4_069).subarray(0, 16)],
    ['more than 4,096 bytes of the proxy itself', binaryHeader(0x20, 0, zeros(4_081)).subarray(0, 16)],
  ];
  for (const [mistake, bytes] of broken) {
    it(`is broken with ${mistake}`, () => {
      expect(parse(bytes as string)).to.equal('broken');
    });
  }

  it('in binary is broken as soon as a byte of its beginning is another', () => {
    const header = headerFor('192.0.2.7', 1);
    for (let at = 0; at < 12; at += 1) {
      const changed = Buffer.from(header.subarray(0, at + 1));
      changed[at] = (changed[at] as number) ^ 0x20;
      expect(parse(changed), `byte ${at}`).to.equal('broken');
    }
  });
});
