import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const PROGRAM = fileURLToPath(new URL('tune-engine-program.js', import.meta.url));
/** Both halves of it, in bytes. */
const SMALL_ROOM = 2 * 1_048_576;

/** The room for new objects in bytes, both halves, after a million of them were kept. */
function roomForNewObjects(flags: readonly string[], environment: NodeJS.ProcessEnv = {}): number {
  const env = { ...process.env, NODE_OPTIONS: '', ...environment };
  return Number(execFileSync(process.execPath, [...flags, PROGRAM], { encoding: 'utf8', env }));
}

describe('the engine of the programs', () => {
  it('keeps the room for new objects small', function () {
    if (Number.parseInt(process.versions.node, 10) >= 24) {
      console.log('    skipped: from Node 24 on the room for new objects grows now and then all the same');
      this.skip();
    }
    expect(roomForNewObjects([])).to.be.at.most(SMALL_ROOM);
  });

  it('lets that room grow when an operator sets its size', () => {
    // How far it grows within that size is the engine's business.
    expect(roomForNewObjects(['--max-semi-space-size=8'])).to.be.above(SMALL_ROOM);
    expect(roomForNewObjects([], { NODE_OPTIONS: '--max_semi_space_size=8' })).to.be.above(SMALL_ROOM);
  });
});
