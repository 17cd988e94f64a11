import { expect } from 'chai';
import { detectProtocol } from '../../lib/wire/detect.ts';

const WHITE_SPACE = [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d];
const BRACE = '{'.charCodeAt(0);

describe('detectProtocol', () => {
  it('takes an opening brace for newline-delimited JSON', () => {
    expect(detectProtocol(Buffer.from('{"command":"ping"}'))).to.equal('ndjson');
  });

  it('takes nothing else for newline-delimited JSON', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      if (byte !== BRACE) expect(detectProtocol(Uint8Array.of(byte)), `byte ${byte}`).to.not.equal('ndjson');
    }
  });

  it('knows no protocol that begins with a capital letter, a digit, a bracket, a quote, a byte above 0x7f', () => {
    for (const first of ['GET / HTTP/1.1', 'POST', 'Z', '0', '9', '[', '"', '<', '\x16\x03\x01', '\ufeff{', 'é']) {
      expect(detectProtocol(Buffer.from(first)), first).to.equal('unknown');
    }
    for (let byte = 0x80; byte < 256; byte += 1) {
      expect(detectProtocol(Uint8Array.of(byte)), `byte ${byte}`).to.equal('unknown');
    }
  });

  it('cannot tell from nothing or from white space', () => {
    expect(detectProtocol(new Uint8Array(0))).to.equal(undefined);
    for (const byte of WHITE_SPACE)
      expect(detectProtocol(Uint8Array.of(byte, byte)), `byte ${byte}`).to.equal(undefined);
  });

  it('passes over white space before the byte that tells', () => {
    for (const byte of WHITE_SPACE) {
      expect(detectProtocol(Uint8Array.of(byte, byte, BRACE)), `byte ${byte}`).to.equal('ndjson');
      expect(detectProtocol(Buffer.from([byte, ...Buffer.from('POST {')])), `byte ${byte}`).to.equal('unknown');
    }
  });

  it('does not count a byte of value zero or a no-break space as white space', () => {
    expect(detectProtocol(Buffer.from('\0{'))).to.not.equal('ndjson');
    expect(detectProtocol(Buffer.from('\u00a0{'))).to.equal('unknown');
  });
});
