import { expect } from 'chai';
import { STATUSES, UNAVAILABLE_REASONS } from '../../lib/wire/statuses.ts';

describe('STATUSES', () => {
  it('has exactly the statuses of the protocol', () => {
    expect(Object.keys(STATUSES)).to.have.members([
      ...['ok', 'timeout', 'unavailable', 'cancelled', 'deadlock', 'notHeld'],
      ...['invalid', 'unknownCommand', 'limit', 'denied', 'draining', 'elsewhere', 'internal'],
    ]);
  });

  it('explains each, and each reason, in a sentence that fits into a row of a table', () => {
    for (const [status, meaning] of Object.entries({ ...STATUSES, ...UNAVAILABLE_REASONS })) {
      expect(meaning, status).to.match(/^[A-Z][^\n|]+\.$/);
    }
  });
});
