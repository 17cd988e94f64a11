import { expect } from 'chai';
import { toEtcdError } from '../../../lib/ledger/etcd/etcd-error.ts';

describe('an error of etcd', () => {
  for (const code of [2, 4]) {
    it(`is a time-out of unknown outcome when a member gave up in time, with gRPC's number ${code}`, () => {
      const error = toEtcdError('http://a:2379', { code, details: 'context deadline exceeded' }, 500);
      expect(error).to.include({ code: 'timeout', isOutcomeUnknown: true, isOfEndpoint: true });
      expect(error.message).to.equal('etcd at http://a:2379 did not answer within 500 ms');
    });
  }
});
