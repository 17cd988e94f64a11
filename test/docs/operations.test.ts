import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { planListeners } from '../../lib/cli/listeners.ts';
import { completeSettings } from '../../lib/cli/settings.ts';

const document = readFileSync('docs/operations.md', 'utf8');

describe('docs/operations.md', () => {
  it('shows settings that the server takes', () => {
    const examples = [...document.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, json]) => json as string);
    expect(examples).to.have.lengthOf(1);
    for (const example of examples) {
      expect(planListeners(completeSettings(JSON.parse(example), 'docs/operations.md'))).to.have.lengthOf(1);
    }
  });

  it('names each setting of a cluster with its default', () => {
    const { cluster } = JSON.parse(readFileSync('config/settings.json', 'utf8')) as { readonly cluster: object };
    const [, section = ''] = /^## A cluster\n([\s\S]*?)^## /m.exec(document) ?? [];
    for (const [name, value] of Object.entries(cluster)) {
      const [row = ''] = new RegExp(`^\\| .*\`${name}\`.*$`, 'm').exec(section) ?? [];
      expect(row, name).to.include(typeof value === 'number' || name === 'prefix' ? `| \`${value}\` |` : '|');
    }
  });

  it('names each setting of the history with its default', () => {
    const { history } = JSON.parse(readFileSync('config/settings.json', 'utf8')) as { readonly history: object };
    const [, section = ''] = /^## The history\n([\s\S]*?)^## /m.exec(document) ?? [];
    for (const [name, value] of Object.entries(history)) {
      expect(section, name).to.include(`\n| \`${name}\` | ${value === '' ? 'none' : `\`${value}\``} |`);
    }
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
