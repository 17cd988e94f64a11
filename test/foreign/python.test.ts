import { join } from 'node:path';
import { expect } from 'chai';
import { unix } from '../../lib/transports/unix.ts';
import { endTest, makeFolder } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { makeServer } from '../server/running-server.ts';
import { LineClient } from './line-client.ts';
import { beside, needs, SystemProgram } from './system-program.ts';

describe("a Python client on a Unix socket, as in glockd's manual", () => {
  let path: string;

  before(function () {
    needs(this, 'python3');
  });
  beforeEach(async () => {
    path = join(makeFolder(), 'lock.sock');
    await makeServer().listen(unix({ path }));
  });
  afterEach(endTest);

  it('gets a free lock', async () => {
    expect(await say('g foo').nextLine()).to.equal('1 Lock Get Success: foo');
  });

  it('does not get a lock that another client holds', async () => {
    await say('g foo').nextLine();
    expect(await say('g foo').nextLine()).to.equal('0 Lock Get Failure: foo');
  });

  it('is shown as the holder', async () => {
    const watcher = await LineClient.connect({ path });
    await say('g foo').nextLine();
    expect(await watcher.ask('d')).to.equal('foo: unix:2');
  });

  it('loses the lock when it ends', async () => {
    const client = say('g foo');
    await client.nextLine();
    await client.kill();
    const other = await LineClient.connect({ path });
    await until(async () => (await other.ask('i foo')) === '0 Lock Not Locked: foo');
    expect(await other.statistics()).to.include({ orphans: 1, locks: 0, connections: 1 });
  });

  function say(command: string): SystemProgram {
    return new SystemProgram('python3', [beside('line_client.py'), path, command]);
  }
});
