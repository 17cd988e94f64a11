import { expect } from 'chai';
import { rejection } from '../support/rejection.ts';
import { serverForEachTest, startServer } from './running-server.ts';

const DESCRIBED = {
  node: 'a',
  role: 'leader',
  epoch: 7,
  leader: { node: 'a', address: 'a.example:20934' },
  nodes: [{ node: 'a', address: 'a.example:20934', role: 'leader' }],
  sessions: 2,
  etcd: { endpoint: 'http://127.0.0.1:2379', version: '3.5.16', lagMs: 1, revision: 12 },
};

describe('the cluster command', () => {
  const single = serverForEachTest();

  it('tells of the servers, now or when they are known', async () => {
    for (const describe of [() => DESCRIBED, () => Promise.resolve(DESCRIBED)]) {
      const server = await startServer({}, undefined, { cluster: { describe } });
      const client = await server.connect();
      expect(await client.ask('cluster')).to.deep.equal({ status: 'ok', ...DESCRIBED });
    }
  });

  it('is what the client asks by cluster()', async () => {
    const server = await startServer({}, undefined, { cluster: { describe: () => DESCRIBED } });
    expect(await (await server.client()).cluster()).to.deep.include({ leader: DESCRIBED.leader, epoch: 7 });
  });

  it('is unavailable where the server is the only one', async () => {
    const client = await single.connect();
    expect(await client.ask('cluster')).to.deep.equal({ status: 'unavailable', reason: 'notClustered' });
    const error = await rejection((await single.client()).cluster());
    expect(error).to.include({ code: 'unreachable', message: 'cluster was refused: the server is not one of several' });
  });
});
