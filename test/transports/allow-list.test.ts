import { expect } from 'chai';
import fc from 'fast-check';
import { AllowList, canonicalAddress, formatAddress } from '../../lib/transports/allow-list.ts';

/** List, addresses that it allows, addresses that it does not. */
const cases: [string[], string[], string[]][] = [
  [[], [], ['127.0.0.1', '::1', '0.0.0.0', '::']],
  [['127.0.0.1'], ['127.0.0.1'], ['127.0.0.2', '126.0.0.1', '::1', '::127.0.0.1', '::7f00:1']],
  [['::1'], ['::1', '0:0:0:0:0:0:0:1', '0000::0001'], ['::2', '127.0.0.1', '0.0.0.1', '::ffff:0.0.0.1']],
  [
    ['127.0.0.1', '::1'],
    ['127.0.0.1', '::1'],
    ['127.0.0.2', '::2'],
  ],
  [['10.0.0.0/8'], ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0', '::10.0.0.1']],
  [['10.9.8.7/8'], ['10.0.0.0', '10.255.255.255'], ['11.0.0.0']],
  [['10.0.0.2/31'], ['10.0.0.2', '10.0.0.3'], ['10.0.0.1', '10.0.0.4']],
  [['10.0.0.1/32'], ['10.0.0.1'], ['10.0.0.0', '10.0.0.2']],
  [['128.0.0.0/1'], ['128.0.0.0', '255.255.255.255'], ['127.255.255.255']],
  [['0.0.0.0/0'], ['0.0.0.0', '127.0.0.1', '255.255.255.255'], ['::1', 'fe80::1']],
  [['::/0'], ['::', '::1', 'fe80::1'], []],
  [['fd00::/8'], ['fd00::', 'fdff:ffff::1'], ['fc00::1', 'fe00::', '253.0.0.1']],
  [['2001:db8::/127'], ['2001:db8::', '2001:db8::1'], ['2001:db8::2', '2001:db7::']],
  [['2001:db8::5/128'], ['2001:db8::5'], ['2001:db8::4']],
  [['2001:DB8::A'], ['2001:db8::a', '2001:0db8:0:0::A'], ['2001:db8::b']],
  [['fe80::1'], ['fe80::1', 'fe80::1%eth0'], ['fe80::2%eth0']],
];

describe('AllowList', () => {
  for (const [list, allowed, refused] of cases) {
    it(`allows exactly ${JSON.stringify(list)}`, () => {
      const allowList = new AllowList(list);
      for (const address of allowed) expect(allowList.allows(address), address).to.equal(true);
      for (const address of refused) expect(allowList.allows(address), address).to.equal(false);
    });
  }

  it('treats an IPv4 address in IPv6 form as IPv4', () => {
    const allowList = new AllowList(['127.0.0.1', '10.0.0.0/8']);
    for (const address of ['::ffff:127.0.0.1', '::FFFF:127.0.0.1', '::ffff:7f00:1', '::ffff:10.200.0.1']) {
      expect(allowList.allows(address), address).to.equal(true);
    }
    for (const address of ['::ffff:127.0.0.2', '::ffff:7f00:2', '::ffff:11.0.0.1', '::127.0.0.1']) {
      expect(allowList.allows(address), address).to.equal(false);
    }
  });

  it('treats listed IPv4 addresses and ranges in IPv6 form as IPv4', () => {
    for (const entry of ['::ffff:10.0.0.1', '::FFFF:10.0.0.1', '::ffff:a00:1', '0:0:0:0:0:ffff:10.0.0.1']) {
      const allowList = new AllowList([entry]);
      expect(allowList.allows('10.0.0.1'), entry).to.equal(true);
      expect(allowList.allows('::ffff:10.0.0.1'), entry).to.equal(true);
      expect(allowList.allows('10.0.0.2'), entry).to.equal(false);
    }
    const range = new AllowList(['::ffff:10.0.0.0/104']);
    expect(range.allows('10.255.0.1')).to.equal(true);
    expect(range.allows('11.0.0.1')).to.equal(false);
    expect(new AllowList(['::ffff:0.0.0.0/96']).allows('1.2.3.4')).to.equal(true);
    expect(new AllowList(['::ffff:0:0/96']).allows('1.2.3.4')).to.equal(true);
    expect(new AllowList(['::ffff:0:0/96']).allows('::1')).to.equal(false);
  });

  it('does not let IPv4 in through a range of IPv6 addresses', () => {
    for (const range of ['::/0', '::/1', '::/64']) {
      for (const address of ['10.0.0.1', '::ffff:10.0.0.1']) {
        expect(new AllowList([range]).allows(address), `${address} through ${range}`).to.equal(false);
      }
    }
  });

  it('allows nothing that is no address', () => {
    for (const address of ['', 'localhost', '127.0.0.1:80', '[::1]', '127.1', '0x7f.0.0.1']) {
      expect(new AllowList(['0.0.0.0/0', '::/0']).allows(address), address).to.equal(false);
    }
  });

  it('compares ranges of IPv4 bit by bit', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const address = fc.tuple(octet, octet, octet, octet);
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (base, other, bits) => {
        const toBits = (octets: number[]): string => octets.map((each) => each.toString(2).padStart(8, '0')).join('');
        // Half of the others differ from the base only at the end, so that they hit small ranges.
        const near = [...base.slice(0, 3), other[3]];
        const allowList = new AllowList([`${base.join('.')}/${bits}`]);
        for (const octets of [near, other]) {
          const isInside = toBits(octets).slice(0, bits) === toBits(base).slice(0, bits);
          expect(allowList.allows(octets.join('.'))).to.equal(isInside);
          expect(allowList.allows(`::ffff:${octets.join('.')}`)).to.equal(isInside);
        }
      }),
      { numRuns: 500 },
    );
  });

  const wrong = [
    '',
    ' ',
    'localhost',
    '*',
    '127.0.0',
    '127.0.0.1 ',
    '127.0.0.256',
    '010.0.0.1',
    '127.0.0.1:80',
    '[::1]',
  ];
  const wrongRanges = ['10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8.5', '10.0.0.0/8/8', '10.0.0.0/a', '/8'];
  const wrongIPv6 = [
    '::1/129',
    '::ffff:10.0.0.0/95',
    '::ffff:10.0.0.0/129',
    'fe80::1%eth0',
    'fe80::1%eth0/64',
    '1::2::3',
  ];
  for (const entry of [...wrong, ...wrongRanges, ...wrongIPv6, '10.0.0.0-10.0.0.9', '10.0.0.0/255.0.0.0']) {
    it(`refuses the entry ${JSON.stringify(entry)}, and names it`, () => {
      const complaint = `${JSON.stringify(entry)} is no address`;
      expect(() => new AllowList(['127.0.0.1', entry, '::1'])).to.throw(TypeError, complaint);
    });
  }
});

describe('canonicalAddress', () => {
  it('turns an IPv4 address in IPv6 form into IPv4', () => {
    expect(canonicalAddress('::ffff:10.0.0.1')).to.equal('10.0.0.1');
    expect(canonicalAddress('::FFFF:10.0.0.1')).to.equal('10.0.0.1');
  });

  it('drops the zone', () => {
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
  it('puts the port after the address, and brackets around an IPv6 one', () => {
    expect(formatAddress('127.0.0.1', 20_934)).to.equal('127.0.0.1:20934');
    expect(formatAddress('::1', 20_934)).to.equal('[::1]:20934');
    expect(formatAddress('localhost', 20_934)).to.equal('localhost:20934');
  });
});
