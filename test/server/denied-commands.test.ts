import { expect } from 'chai';
import { endTest } from './clean-up.ts';
import { startServer } from './running-server.ts';

const LOCK = { lockName: 'jobs' };

/** A setting that is off, and a command that it forbids. */
const DENIED = [
  ['dump', 'list', {}],
  ['dump', 'inspect', LOCK],
  ['dump', 'survey', {}],
  ['dump', 'watch', LOCK],
  ['dump', 'who', {}],
  ['registry', 'identify', { name: 'Ann' }],
  ['registry', 'who', {}],
  ['forceUnlock', 'forceUnlock', LOCK],
] as const;

describe('a command that a setting forbids', () => {
  afterEach(endTest);

  for (const [setting, command, parameters] of DENIED) {
    it(`is denied without ${setting}: ${command}`, async () => {
      const client = await (await startServer({}, undefined, { [setting]: false })).connect();
      await client.take('jobs');
      expect(await client.ask(command, parameters)).to.deep.equal({ status: 'denied' });
      expect(await client.ask('whoami')).to.include({ name: '' });
      expect(await client.ask('unlock', LOCK)).to.deep.equal({ status: 'ok', count: 0 });
    });
  }

  it('is not hello: without registry it ignores the name', async () => {
    const client = await (await startServer({}, undefined, { registry: false })).connect();
    expect(await client.ask('hello', { protocol: 1, name: 'Ann' })).to.include({ status: 'ok' });
    expect(await client.ask('whoami')).to.include({ name: '' });
  });
});
