/** Headers of the PROXY protocol, made by hand. */

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** A header of version 2 with this command, this byte for family and protocol, and these bytes after the length. */
export function binaryHeader(command: number, family: number, rest: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([SIGNATURE, Buffer.of(command, family, rest.length >> 8, rest.length & 0xff), rest]);
}

/** A header of version 2 for a client at that address, with extra bytes behind the addresses. */
export function headerFor(address: string, port: number, extraBytes = 0): Buffer {
  const ports = Buffer.of(port >> 8, port & 0xff, 0x51, 0xc6);
  const extra = Buffer.alloc(extraBytes, 0xaa);
  if (!address.includes(':')) {
    const source = Buffer.from(address.split('.').map(Number));
    return binaryHeader(0x21, 0x11, Buffer.concat([source, Buffer.of(10, 0, 0, 1), ports, extra]));
  }
  return binaryHeader(0x21, 0x21, Buffer.concat([groupsOf(address), groupsOf('fd00::1'), ports, extra]));
}

/** A header of version 1. */
export function lineFor(address: string, port: number): Buffer {
  const [family, target] = address.includes(':') ? ['TCP6', 'fd00::1'] : ['TCP4', '10.0.0.1'];
  return Buffer.from(`PROXY ${family} ${address} ${target} ${port} 20934\r\n`);
}

/** The 16 bytes of an IPv6 address in groups of hexadecimal digits. */
function groupsOf(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groupsIn = (half: string): string[] => half.split(':').filter((group) => group !== '');
  const zeros = Array<string>(8 - groupsIn(head).length - groupsIn(tail).length).fill('0');
  const groups = [...groupsIn(head), ...zeros, ...groupsIn(tail)];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
