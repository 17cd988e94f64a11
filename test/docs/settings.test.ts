import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { LISTENER_SETTINGS, SETTINGS, variableOf } from '../../lib/cli/setting-list.ts';
import { settingsPage } from './settings-page.ts';

describe('docs/settings.md', () => {
  it('is what `npm run docs:settings` makes', () => {
    expect(readFileSync('docs/settings.md', 'utf8')).to.equal(settingsPage());
  });

  it('has a sentence and an expected value for each setting, and a variable of its own', () => {
    for (const { path, schema } of [...SETTINGS, ...LISTENER_SETTINGS]) {
      expect(schema.title, path).to.match(/^[A-Z].*\.$/);
      expect(schema.description, path).to.be.a('string');
    }
    const variables = new Set(SETTINGS.map(({ path }) => variableOf(path)));
    expect(variables.size).to.equal(SETTINGS.length);
  });
});
