import { expect } from 'chai';
import { type Beginning, detectProtocol } from '../../lib/wire/detect.ts';

const WHITE_SPACE = [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d];
const BRACE = '{'.charCodeAt(0);

interface Named extends Beginning {
  readonly name: string;
}

const KNOWN: readonly Named[] = [
  { name: 'ndjson', beginsWith: (byte) => byte === BRACE },
  { name: 'line', beginsWith: (byte) => byte >= 0x61 && byte <= 0x7a },
];

/** The name of the protocol that begins with these bytes. */
function detect(bytes: Uint8Array): string | undefined {
  const detected = detectProtocol(bytes, KNOWN);
  return typeof detected === 'object' ? detected.name : detected;
}

describe('detectProtocol', () => {
  it('takes an opening brace for newline-delimited JSON', () => {
    expect(detect(Buffer.from('{"command":"ping"}'))).to.equal('ndjson');
  });

  it('takes nothing else for newline-delimited JSON', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      if (byte !== BRACE) expect(detect(Uint8Array.of(byte)), `byte ${byte}`).to.not.equal('ndjson');
    }
  });

  it('knows no protocol that begins with a capital letter, a digit, a bracket, a quote or a byte above 0x7f', () => {
    for (const first of ['GET / HTTP/1.1', 'POST', 'Z', '0', '9', '[', '"', '<', '\x16\x03\x01', '\ufeff{', 'é']) {
      expect(detect(Buffer.from(first)), first).to.equal('unknown');
    }
    for (let byte = 0x80; byte < 256; byte += 1) {
      expect(detect(Uint8Array.of(byte)), `byte ${byte}`).to.equal('unknown');
    }
  });

  it('decides nothing without bytes or on white space', () => {
    expect(detect(new Uint8Array(0))).to.equal(undefined);
    for (const byte of WHITE_SPACE) expect(detect(Uint8Array.of(byte, byte)), `byte ${byte}`).to.equal(undefined);
  });

  it('skips white space before the byte that decides', () => {
    for (const byte of WHITE_SPACE) {
      expect(detect(Uint8Array.of(byte, byte, BRACE)), `byte ${byte}`).to.equal('ndjson');
      expect(detect(Buffer.from([byte, ...Buffer.from('POST {')])), `byte ${byte}`).to.equal('unknown');
    }
  });

  it('does not count a byte of value zero or a no-break space as white space', () => {
    expect(detect(Buffer.from('\0{'))).to.not.equal('ndjson');
    expect(detect(Buffer.from('\u00a0{'))).to.equal('unknown');
  });

  it('accepts more bytes for the only protocol served, but none of another protocol', () => {
    const only: Named = { ...(KNOWN[1] as Named), takesAlone: (bytes) => bytes.includes(0x0a) || bytes.includes(0x47) };
    expect(detectProtocol(Buffer.from('G'), KNOWN, only)).to.equal(only);
    expect(detectProtocol(Buffer.from(' \n'), KNOWN, only)).to.equal(only);
    expect(detectProtocol(Buffer.from(' '), KNOWN, only)).to.equal(undefined);
    expect(detectProtocol(Buffer.from('H'), KNOWN, only)).to.equal('unknown');
    expect(detectProtocol(Buffer.from('{G'), KNOWN, only)).to.equal(KNOWN[0]);
  });
});
