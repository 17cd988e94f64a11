import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { parseTcpRow, readTcpTable, type TcpRow, tcpRowOf } from '../../lib/transports/tcp-table.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';

/** Lines of `/proc/net/tcp` and `tcp6` as Linux 6.18 printed them. */
const HEADING =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ';
const LISTENING =
  '   0: 0100007F:9A33 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9612210 1 00000000ea66d48c 100 0 0 10 0                   ';
const SENT_AGAIN =
  '2469: 0108E70A:97AD 0208E70A:AE40 01 00000001:00000000 01:0000009F 0000000B     0        0 9924448 2 00000000cc317b8b 163 4 30 1 -1                  ';
const SHUT_WINDOW =
  '2309: 0108E70A:899B 0208E70A:8DE4 01 0007E348:00000000 04:00000001 00000000     0        0 9926181 2 000000007b3f5d34 21 0 0 97 -1                   ';
const SHUT_WINDOW_UNANSWERED =
  '1544: 0109E70A:AB4F 0209E70A:B89A 01 00097A88:00000000 04:0000023B 00000000     0        2 9933385 2 00000000a32d4e9e 21 0 0 99 -1                   ';
const IPV6 =
  '   4: 00000000000000000000000001000000:A11B 00000000000000000000000001000000:958A 01 00000000:00000000 00:00000000 00000000     0        0 0 1 00000000ea9ebabd 20 0 0 10 -1';
const MANY_ROWS =
  '12345: 0000000000000000FFFF00000100007F:A11B 0000000000000000FFFF00000100007F:96FE 01 00000010:00000000 01:00000004 00000002     0        0 0 1 00000000875d7df4 20 0 0 10 -1';

describe('the table of TCP connections', () => {
  afterEach(endTest);

  for (const [what, line, row] of [
    [
      'data that was sent again',
      SENT_AGAIN,
      { key: '0108E70A:97AD 0208E70A:AE40', unacknowledgedBytes: 1, unansweredCount: 11 },
    ],
    [
      'a shut window whose probes are answered',
      SHUT_WINDOW,
      { key: '0108E70A:899B 0208E70A:8DE4', unacknowledgedBytes: 0x7e348, unansweredCount: 0 },
    ],
    [
      'a shut window whose probes are not answered',
      SHUT_WINDOW_UNANSWERED,
      { key: '0109E70A:AB4F 0209E70A:B89A', unacknowledgedBytes: 0x97a88, unansweredCount: 2 },
    ],
    [
      'IPv6',
      IPV6,
      {
        key: '00000000000000000000000001000000:A11B 00000000000000000000000001000000:958A',
        unacknowledgedBytes: 0,
        unansweredCount: 0,
      },
    ],
    [
      'IPv4 in IPv6, in a long table',
      MANY_ROWS,
      {
        key: '0000000000000000FFFF00000100007F:A11B 0000000000000000FFFF00000100007F:96FE',
        unacknowledgedBytes: 16,
        unansweredCount: 2,
      },
    ],
    ['the heading', HEADING, undefined],
    ['an empty line', '', undefined],
    ['half a line', SENT_AGAIN.slice(0, 60), undefined],
  ] as const) {
    it(`is read: ${what}`, () => {
      expect(parseTcpRow(line)).to.deep.equal(row);
    });
  }

  it('shows listeners, which are not watched', () => {
    expect(parseTcpRow(LISTENING)?.key).to.equal('0100007F:9A33 00000000:0000');
  });

  it('does not have a connection that is closed', () => {
    expect(tcpRowOf({})).to.equal(undefined);
  });

  it('is the table of IPv6 for IPv6 addresses, in each notation', () => {
    const [localPort, remotePort] = [1, 0xabcd];
    for (const [localAddress, key] of [
      ['fe80::1:2%eth0', '000080FE000000000000000002000100:0001'],
      ['2001:db8:1:2:3:4:5:6', 'B80D0120020001000400030006000500:0001'],
      ['::ffff:127.0.0.1', '0000000000000000FFFF00000100007F:0001'],
      ['::', '00000000000000000000000000000000:0001'],
    ] as const) {
      const row = tcpRowOf({ localAddress, localPort, remoteAddress: localAddress, remotePort });
      const address = key.replace(/:.*/, '');
      expect(row).to.deep.equal({ table: '/proc/self/net/tcp6', key: `${address}:0001 ${address}:ABCD` });
    }
  });

  for (const [listenOn, connectTo] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['::', '127.0.0.1'],
  ] as const) {
    it(`shows a connection to ${connectTo} of a server on ${listenOn}`, async function () {
      if (!existsSync('/proc/self/net/tcp6')) {
        console.log('      skipped: this system has no such table for IPv6');
        this.skip();
      }
      const server = createServer().listen(0, listenOn);
      whenTestEnds(() => server.close());
      await once(server, 'listening');
      const client = connect((server.address() as AddressInfo).port, connectTo);
      whenTestEnds(() => client.destroy());
      const [socket] = (await once(server, 'connection')) as [Socket];
      whenTestEnds(() => socket.destroy());
      const place = tcpRowOf(socket);
      const rows: TcpRow[] = [];
      await readTcpTable(place?.table ?? '/proc/self/net/tcp', (row) => rows.push(row));
      expect(rows.filter(({ key }) => key === place?.key)).to.deep.equal([
        { key: place?.key, unacknowledgedBytes: 0, unansweredCount: 0 },
      ]);
    });
  }
});
