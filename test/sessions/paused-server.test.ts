import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { startServerProgram } from '../server/running-program.ts';
import { open, type Told } from './session-scene.ts';

/** Long enough to stop the server before it is over. */
const TIMEOUT_SECONDS = 2;

describe('a server that was stopped for longer than sessions last', () => {
  const folder = folderForEachTest();

  it('reads what came meanwhile before it ends a session', async () => {
    writeFileSync(folder.at('settings.json'), '{"limits": {"minSessionTimeoutMs": 1}}');
    const { program, port } = await startServerProgram('--config', folder.at('settings.json'));
    const witness = await RawClient.connect(port);
    const holders: [Told, number][] = [];
    for (const name of ['returns', 'stays away']) {
      const holder = await RawClient.connect(port);
      const session = await open(holder, TIMEOUT_SECONDS);
      holders.push([session, await holder.take(name)]);
      holder.reset();
    }
    await until(async () => (await witness.ask('stats')).suspendedSessions === 2);
    const [[{ id, secret }, token]] = holders as [[Told, number]];
    program.signal('SIGSTOP');
    const back = await RawClient.connect(port);
    const session = { id, secret, holds: [token] };
    back.send({ command: 'hello', parameters: { protocol: 1, session }, id: 1 });
    await pause(TIMEOUT_SECONDS * 1_000);
    program.signal('SIGCONT');
    expect(await back.next()).to.have.nested.property('result.session.state', 'resumed');
    await until(async () => (await witness.ask('stats')).expiredSessions === 1);
    expect(await witness.ask('stats')).to.include({ holders: 1, orphans: 1, suspendedSessions: 0 });
    await back.settle();
  });
});
