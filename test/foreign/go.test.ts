import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { until } from '../server/raw-client.ts';
import { startServer } from '../server/running-server.ts';
import { beside, needs, SystemProgram } from './system-program.ts';

describe('a Go client of the line protocol', () => {
  let folder: string;
  let program: string;
  let port: number;

  before(function () {
    needs(this, 'go');
    // The first build compiles Go's own packages.
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), 'holdfast-go-'));
    program = join(folder, 'line-client');
    const { status, stderr } = spawnSync('go', ['build', '-o', program, beside('line_client.go')], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', CGO_ENABLED: '0', GOPATH: folder, GOCACHE: folder },
    });
    expect([status, stderr]).to.deep.equal([0, '']);
  });
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    ({ port } = await startServer());
  });
  afterEach(endTest);

  it('gets, looks up and releases a lock', async () => {
    const [holder, other] = [await startClient(), await startClient()];
    expect(await holder.ask('i foo')).to.equal('0 Lock Not Locked: foo');
    expect(await holder.ask('g foo')).to.equal('1 Lock Get Success: foo');
    expect(await other.ask('g foo')).to.equal('0 Lock Get Failure: foo');
    expect(await other.ask('i foo')).to.equal('1 Lock Is Locked: foo');
    expect(await other.ask('r foo')).to.equal('0 Lock Release Failure: foo');
    expect(await holder.ask('r foo')).to.equal('1 Lock Release Success: foo');
    expect(await other.ask('g foo')).to.equal('1 Lock Get Success: foo');
  });

  it('loses its locks of both kinds when it ends', async () => {
    const [holder, watcher] = [await startClient(), await startClient()];
    await holder.ask('g foo');
    await holder.ask('sg foo');
    await holder.kill();
    await until(async () => (await watcher.ask('i foo')) === '0 Lock Not Locked: foo');
    expect(await watcher.ask('si foo')).to.equal('0 Shared Lock Not Locked: foo');
  });

  async function startClient(): Promise<SystemProgram> {
    const client = new SystemProgram(program, [`127.0.0.1:${port}`]);
    expect(await client.nextLine()).to.equal('connected');
    return client;
  }
});
