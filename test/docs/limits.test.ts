import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';

const DOCUMENT = new URL('../../../docs/limits.md', import.meta.url);
const SETTINGS = new URL('../../../config/settings.json', import.meta.url);

describe('docs/limits.md', () => {
  const rows = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| `(\w+)` \| ([^|]+) \|/gm)];
  const told = new Map(rows.map(([, setting = '', value = '']) => [setting, value]));
  const { handshakeTimeoutMs, limits } = JSON.parse(readFileSync(SETTINGS, 'utf8')) as {
    readonly handshakeTimeoutMs: number;
    readonly limits: Readonly<Record<string, number | 'auto'>>;
  };

  it('lists each limit once, and nothing else', () => {
    const expected = ['handshakeTimeoutMs', ...Object.keys(DEFAULT_LOCK_SERVER_LIMITS)];
    expect(rows.map(([, setting]) => setting)).to.have.members(expected);
  });

  it('tells the defaults of the settings', () => {
    const numbers = Object.entries<number | 'auto'>({ handshakeTimeoutMs, ...limits }).filter(
      ([, value]) => value !== 'auto',
    );
    for (const [setting, value] of numbers) expect(told.get(setting), setting).to.equal(value.toLocaleString('en'));
  });

  it('tells the share of the heap of the others', () => {
    const { maxTableBytes, totalOutputBytes, totalInputBytes } = DEFAULT_LOCK_SERVER_LIMITS;
    expect([told.get('maxTableBytes'), limits.maxTableBytes]).to.deep.equal(['half the heap', 'auto']);
    for (const [setting, bytes] of Object.entries({ totalOutputBytes, totalInputBytes })) {
      expect([told.get(setting), limits[setting]]).to.deep.equal(['an eighth of the heap', 'auto']);
      expect(maxTableBytes / bytes, setting).to.be.within(2, 4.1);
    }
  });
});
