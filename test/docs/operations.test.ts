import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { planListeners } from '../../lib/cli/listeners.ts';
import { RunningSettings } from '../../lib/cli/running-settings.ts';
import { completeSettings, type Settings } from '../../lib/cli/settings.ts';
import { LongWaits } from '../../lib/history/long-waits.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

function settingsWith(allowed: string, port: number): Settings {
  return completeSettings({ allowed: [allowed], port }, 'test');
}

const document = readFileSync('docs/operations.md', 'utf8');

describe('docs/operations.md', () => {
  it('shows settings that the server takes', () => {
    const examples = [...document.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, json]) => json as string);
    expect(examples).to.have.lengthOf(1);
    for (const example of examples) {
      expect(planListeners(completeSettings(JSON.parse(example), 'docs/operations.md'))).to.have.lengthOf(1);
    }
  });

  it('shows what the log says of changed settings', () => {
    const [, section = ''] = /^## Settings\n([\s\S]*?)^## /m.exec(document) ?? [];
    const shown = [...section.matchAll(/^{"level":\d+,(.*)}$/gm)].map(([, members]) => JSON.parse(`{${members}}`));
    const log = Object.assign(new RecordingLogger(), { level: 'info' });
    const readAgain = () => ({ settings: settingsWith('10.0.0.0/8', 20_940), source: 'a test' });
    const running = new RunningSettings(settingsWith('127.0.0.1', 20_934), readAgain, {
      listeners: [],
      monitoring: undefined,
      isHttpPortGiven: false,
      longWaits: new LongWaits(0, log),
      changeLimits: () => {},
      logger: log,
    });
    running.reload();
    expect(log.entries.map(({ details, message }) => ({ ...details, msg: message }))).to.deep.equal(shown);
  });

  it('names the state directories that the systemd unit and the image have', () => {
    const unit = readFileSync('examples/holdfast.service', 'utf8');
    const image = readFileSync('Dockerfile', 'utf8');
    const [, inUnit] = /^StateDirectory=(.+)$/m.exec(unit) ?? [];
    const [, inImage] = /^VOLUME (.+)$/m.exec(image) ?? [];
    expect(unit).to.match(new RegExp(`^ExecStart=.* --state %S/${inUnit}$`, 'm'));
    expect(image).to.match(new RegExp(`^ENTRYPOINT .*"--state", "${inImage}"\\]$`, 'm'));
    expect(document).to.include(`\`StateDirectory=${inUnit}\``).and.include(`\`/var/lib/${inUnit}\``);
    expect(document).to.match(new RegExp(`a volume at\\s\`${inImage}\``));
  });
});
