import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { LineClient } from './line-client.ts';
import { beside, needs, SystemProgram } from './system-program.ts';

describe("a PHP client with pkLockServer's framing", () => {
  let port: number;

  before(function () {
    needs(this, 'php');
  });
  beforeEach(async () => {
    ({ port } = await startServer());
  });
  afterEach(endTest);

  it('takes a lock and releases it', async () => {
    const client = await startClient();
    expect(await client.ask('lock jobs')).to.equal('{"id":1,"result":{"status":"ok"}}');
    expect(await isLocked('jobs')).to.equal(true);
    expect(await client.ask('unlock jobs')).to.equal('{"attempted":"unlock","result":"ok","lockName":"jobs"}');
    expect(await isLocked('jobs')).to.equal(false);
  });

  it('waits in line behind others and is granted the lock in its turn', async () => {
    const [first, second, third] = [await startClient(), await startClient(), await startClient()];
    await first.ask('lock jobs');
    for (const [index, client] of [second, third].entries()) {
      client.say('lock jobs');
      await until(async () => (await waiterCount('jobs')) === index + 1);
    }
    await first.ask('unlock jobs');
    expect(await second.nextLine()).to.equal('{"id":1,"result":{"status":"ok"}}');
    expect(await waiterCount('jobs')).to.equal(1);
    await second.ask('unlock jobs');
    expect(await third.nextLine()).to.equal('{"id":1,"result":{"status":"ok"}}');
  });

  it('leaves the line when it gives up', async () => {
    const [holder, impatient] = [await startClient(), await startClient()];
    await holder.ask('lock jobs');
    expect(await impatient.ask('lock jobs 0.1')).to.equal(
      'gave up: {"attempted":"unlock","result":"ok","lockName":"jobs"}',
    );
    expect(await waiterCount('jobs')).to.equal(0);
    await holder.ask('unlock jobs');
    expect(await isLocked('jobs')).to.equal(false);
  });

  it('frees its locks when it is killed', async () => {
    const [holder, next] = [await startClient(), await startClient()];
    await holder.ask('lock jobs');
    next.say('lock jobs');
    await until(async () => (await waiterCount('jobs')) === 1);
    await holder.kill();
    expect(await next.nextLine()).to.equal('{"id":1,"result":{"status":"ok"}}');
  });

  async function startClient(): Promise<SystemProgram> {
    const client = new SystemProgram('php', [beside('pk-lock-client.php'), `tcp://127.0.0.1:${port}`]);
    expect(await client.nextLine()).to.equal('connected');
    return client;
  }

  async function isLocked(name: string): Promise<boolean> {
    const client = await LineClient.connect(port);
    return (await client.ask(`i ${name}`)) === `1 Lock Is Locked: ${name}`;
  }

  async function waiterCount(lockName: string): Promise<number> {
    const client = await RawClient.connect(port);
    const { waiterCount: count } = await client.ask('inspect', { lockName });
    await client.leave();
    return count as number;
  }
});
