import { expect } from 'chai';
import { OwnTokens } from '../../lib/datastores/own-tokens.ts';
import { until } from '../server/raw-client.ts';

describe('the tokens of a datastore', () => {
  it('are known until they are dropped', () => {
    const tokens = new OwnTokens(100);
    tokens.keep('jobs', 'first');
    expect(tokens.get('jobs')).to.equal('first');
    expect(tokens.get('mail')).to.equal(undefined);
    tokens.drop('jobs', 'first');
    expect(tokens.get('jobs')).to.equal(undefined);
  });

  it('are not dropped by the drop of an older one', () => {
    const tokens = new OwnTokens(100);
    tokens.keep('jobs', 'first');
    tokens.keep('jobs', 'second');
    tokens.drop('jobs', 'first');
    expect(tokens.get('jobs')).to.equal('second');
  });

  it('do not add up when locks are never given back', async () => {
    const tokens = new OwnTokens(0.001);
    tokens.keep('jobs', 'first');
    await until(async () => {
      tokens.keep('mail', 'second');
      return tokens.get('jobs') === undefined;
    });
    expect(tokens.get('mail')).to.equal('second');
  });
});
