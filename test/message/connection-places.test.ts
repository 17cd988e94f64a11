import { expect } from 'chai';
import { ConnectionPlaces, Place } from '../../lib/message/connection-places.ts';
import type { Refusal } from '../../lib/message/refusals.ts';

/** Places for five connections, two of one address. */
class Scene {
  readonly refusals: Refusal[] = [];
  /** The names of closed connections, in order. */
  readonly gone: string[] = [];
  readonly #places = new ConnectionPlaces({ maxConnections: 5, maxConnectionsPerAddress: 2 }, (refusal) =>
    this.refusals.push(refusal),
  );

  /** The reason when there is no place. */
  take(address: string, name = address): Place | string {
    const answer = this.#places.take(address, { destroy: () => this.gone.push(name) });
    return answer instanceof Place ? answer : answer.reason;
  }

  /** Takes a place and sends a message. */
  keep(address: string): Place {
    const place = this.take(address);
    if (!(place instanceof Place)) throw new Error(`no place for ${address}: ${place}`);
    place.keep();
    return place;
  }
}

describe('ConnectionPlaces', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });

  it('closes the oldest connection of an address that has sent no message when the address is at its limit', () => {
    scene.keep('10.0.0.8');
    scene.take('10.0.0.7', 'first');
    scene.take('10.0.0.7', 'second');
    expect(scene.take('10.0.0.7', 'third')).to.be.instanceOf(Place);
    expect(scene.take('10.0.0.7', 'fourth')).to.be.instanceOf(Place);
    expect(scene.gone).to.deep.equal(['first', 'second']);
    expect(scene.refusals).to.deep.equal(
      Array(2).fill({
        reason: 'silent',
        address: '10.0.0.7',
        why: 'it had sent no message, and a new one came: its address has as many connections already as maxConnectionsPerAddress, 2',
        remedy: 'raise "limits.maxConnectionsPerAddress" in the settings',
      }),
    );
  });

  it('refuses a further connection of an address if all of its connections have sent a message', () => {
    scene.take('10.0.0.8', 'silent');
    const [place] = [scene.keep('10.0.0.7'), scene.keep('10.0.0.7')];
    expect(scene.take('10.0.0.7')).to.equal('maxConnectionsPerAddress');
    scene.keep('10.0.0.9');
    expect(scene.gone).to.deep.equal([]);
    place.free();
    place.free();
    scene.keep('10.0.0.7');
    expect(scene.take('10.0.0.7')).to.equal('maxConnectionsPerAddress');
  });

  it('closes the oldest connection of all that has sent no message when there are as many as there may be', () => {
    scene.take('10.0.0.1', 'first');
    scene.take('unix', 'second');
    for (const address of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) scene.keep(address);
    scene.keep('127.0.0.1');
    expect(scene.gone).to.deep.equal(['first']);
    scene.keep('10.0.0.1');
    expect(scene.gone).to.deep.equal(['first', 'second']);
    expect(scene.take('10.0.0.5')).to.equal('maxConnections');
    expect(scene.take('unix')).to.equal('maxConnections');
    expect(scene.gone).to.have.lengthOf(2);
  });

  for (const address of ['127.0.0.1', '127.1.2.3', '::1', 'unix', 'memory']) {
    it(`counts connections of ${address} only among all connections`, () => {
      for (let count = 0; count < 5; count += 1) scene.keep(address);
      expect(scene.take(address)).to.equal('maxConnections');
    });
  }

  const sameNetwork: readonly [string, string][] = [
    ['2001:db8::1', '2001:db8::2'],
    ['2001:db8::1', '2001:db8:0:0:ffff::1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::'],
    ['fe80::1', 'fe80::ffff:1'],
  ];
  for (const [first, second] of sameNetwork) {
    it(`counts ${first} and ${second} together`, () => {
      scene.keep(first);
      scene.keep(second);
      expect(scene.take(first)).to.equal('maxConnectionsPerAddress');
    });
  }

  const otherNetworks: readonly [string, string][] = [
    ['10.0.0.7', '10.0.0.8'],
    ['2001:db8::1', '2001:db8:0:1::1'],
    ['2001:db8::1:2:3:4', '2001:db8::1:1:2:3:4'],
    ['2001:db8::', '2001:db9::'],
  ];
  for (const [first, second] of otherNetworks) {
    it(`counts ${first} and ${second} apart`, () => {
      for (const address of [first, second, first, second]) scene.keep(address);
      expect(scene.take(second)).to.equal('maxConnectionsPerAddress');
    });
  }
});
