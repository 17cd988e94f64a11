import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { LineClient } from './line-client.ts';

const CONNECTIONS = 200;
const LOCKS_EACH = 20;
/** So often a bystander locks and unlocks meanwhile. */
const PAIRS = 300;
const ALL = CONNECTIONS * LOCKS_EACH;

describe(`${CONNECTIONS} connections with ${LOCKS_EACH} exclusive and ${LOCKS_EACH} shared locks each`, function () {
  this.timeout(60_000);
  let port: number;
  let crowd: LineClient[];
  let bystander: LineClient;
  let watcher: LineClient;

  beforeEach(async () => {
    ({ port } = await startServerProgram());
    [bystander, watcher] = [await LineClient.connect(port), await LineClient.connect(port)];
    crowd = await Promise.all(Array.from({ length: CONNECTIONS }, () => LineClient.connect(port)));
    await Promise.all(crowd.map(takeAll));
    const held = { locks: ALL, shared_locks: LOCKS_EACH, orphans: 0, shared_orphans: 0 };
    expect(await watcher.statistics()).to.include({ ...held, connections: CONNECTIONS + 2 });
  });
  afterEach(endTest);

  for (const [how, close] of [
    ['closed', (client: LineClient) => client.socket.destroy()],
    ['reset', (client: LineClient) => client.socket.resetAndDestroy()],
    ['ended from their side', (client: LineClient) => client.socket.end()],
  ] as const) {
    it(`are ${how} at once: all locks are freed and counted, and nobody is disturbed`, async () => {
      const pairs = lockAndUnlock(PAIRS);
      for (const client of crowd) close(client);
      await pairs;
      await until(async () => (await watcher.statistics()).connections === 2);
      const freed = { locks: 0, shared_locks: 0, orphans: ALL, shared_orphans: ALL };
      expect(await watcher.statistics()).to.include({ ...freed, command_g: ALL + PAIRS, command_sg: ALL });
      await Promise.all(crowd.map((client) => client.closed));
      for (const index of crowd.keys()) await takeAll(await LineClient.connect(port), index);
    });
  }

  /** Sends all lines in one packet or a few. */
  async function takeAll(client: LineClient, index: number): Promise<void> {
    const numbers = [...Array(LOCKS_EACH).keys()];
    client.send(...numbers.flatMap((number) => [`g own ${index} ${number}`, `sg all ${number}`]));
    for (const number of numbers) {
      expect(await client.next()).to.equal(`1 Lock Get Success: own ${index} ${number}`);
      expect(await client.next()).to.match(/^[1-9]\d* Shared Lock Get Success: all \d+$/);
    }
  }

  async function lockAndUnlock(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      expect(await bystander.ask('g bystander')).to.equal('1 Lock Get Success: bystander');
      expect(await bystander.ask('r bystander')).to.equal('1 Lock Release Success: bystander');
    }
  }
});
