import { writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { EXIT_CODES } from '../../lib/cli/exit-codes.ts';
import { keepHistory } from '../../lib/cli/keep-history.ts';
import { completeSettings } from '../../lib/cli/settings.ts';
import { readEarlier } from '../../lib/history/earlier-records.ts';
import { consoleLogger } from '../../lib/message/logger.ts';
import type { HistoryRecord } from '../../lib/protocol.ts';
import { folderForEachTest } from '../server/clean-up.ts';
import { RawClient, until } from '../server/raw-client.ts';
import { expectStartFails, startServerProgram } from '../server/running-program.ts';

describe('the history of a server program', () => {
  const folder = folderForEachTest();

  /** Settings with that history, and a log of waits. */
  function settingsFile(history: object, waitsOver = 0): string {
    folder.writeSettings({ host: '127.0.0.1', history, log: { waitsOver } });
    return folder.at('settings.json');
  }

  async function recordsOf(client: RawClient): Promise<readonly HistoryRecord[]> {
    return (await client.ask('history')).records as readonly HistoryRecord[];
  }

  it('is there again after kill -9, and long waits are in its log', async () => {
    const config = settingsFile({ directory: folder.at('history'), everything: true }, 1);
    const first = await startServerProgram('--config', config);
    const [holder, waiter] = [await RawClient.connect(first.port), await RawClient.connect(first.port)];
    await holder.take('jobs');
    await waiter.queue(1, 'jobs');
    await until(() => first.program.errorOutput.includes('has waited for a lock'));
    await holder.ask('unlock', { lockName: 'jobs' });
    await waiter.next();
    await waiter.ask('unlock', { lockName: 'jobs' });
    const told = await recordsOf(waiter);
    expect(told.map(({ reason }) => reason)).to.deep.equal(['released', 'released']);
    // Records are written a moment later.
    const written: HistoryRecord[] = [];
    await until(async () => {
      written.length = 0;
      const file = { path: folder.at('history/history-000001.jsonl'), bytes: Number.MAX_SAFE_INTEGER };
      await readEarlier([file], (record) => written.push(record) > 0);
      return written.length === 2;
    });
    expect(written).to.deep.equal(told);
    await first.program.kill();
    const second = await startServerProgram('--config', config);
    const client = await RawClient.connect(second.port);
    let after: readonly HistoryRecord[] = [];
    await until(async () => {
      after = await recordsOf(client);
      return after.length === 2;
    });
    expect(after).to.deep.equal(told);
  });

  it('stops the start when its directory cannot be one', async () => {
    const file = folder.at('file');
    writeFileSync(file, '');
    const complaint = /^holdfast: settings\.history\.directory is "[^"]*file": [^\n]*\n$/;
    await expectStartFails('bin/server.js', EXIT_CODES.usage, complaint, '--config', settingsFile({ directory: file }));
  });

  it('is switched off by its setting', async () => {
    const settings = completeSettings({ history: { enabled: false } }, 'settings');
    const { options, longWaits } = await keepHistory(settings, consoleLogger);
    expect(options).to.deep.equal({ observers: [longWaits] });
    const byDefault = await keepHistory(completeSettings({}, 'settings'), consoleLogger);
    expect(byDefault.options.observers).to.deep.equal([byDefault.options.history, byDefault.longWaits]);
    expect(byDefault.options.history).to.be.an('object');
  });
});
