import { expect } from 'chai';
import { canonicalAddress, formatAddress } from '../../lib/transports/address.ts';

describe('canonicalAddress', () => {
  it('makes IPv4 of an IPv4 address that came as an IPv6 one', () => {
    expect(canonicalAddress('::ffff:10.0.0.1')).to.equal('10.0.0.1');
    expect(canonicalAddress('::FFFF:10.0.0.1')).to.equal('10.0.0.1');
  });

  it('takes the zone away', () => {
    expect(canonicalAddress('fe80::1%eth0')).to.equal('fe80::1');
    expect(canonicalAddress('::ffff:10.0.0.1%lo')).to.equal('10.0.0.1');
  });

  it('leaves other addresses as they are', () => {
    for (const address of ['10.0.0.1', '::1', '::10.0.0.1', 'fd00::ffff:1', '']) {
      expect(canonicalAddress(address)).to.equal(address);
    }
  });
});

describe('formatAddress', () => {
  it('puts the port behind the address, and brackets around an IPv6 one', () => {
    expect(formatAddress('127.0.0.1', 20_934)).to.equal('127.0.0.1:20934');
    expect(formatAddress('::1', 20_934)).to.equal('[::1]:20934');
    expect(formatAddress('localhost', 20_934)).to.equal('localhost:20934');
  });
});
