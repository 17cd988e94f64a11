import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { endTest } from '../server/clean-up.ts';
import { startServerProgram } from '../server/running-program.ts';

const PROGRAM = fileURLToPath(new URL('tune-engine-program.js', import.meta.url));
const MEGABYTE = 1_048_576;

/** How much room there is for new objects after very many of them were made and kept, in bytes: both halves. */
function roomForNewObjects(flags: readonly string[], environment: NodeJS.ProcessEnv = {}): number {
  const env = { ...process.env, NODE_OPTIONS: '', ...environment };
  return Number(execFileSync(process.execPath, [...flags, PROGRAM], { encoding: 'utf8', env }));
}

describe('the engine of the programs', () => {
  afterEach(endTest);

  it('keeps the room for new objects small', function () {
    if (Number.parseInt(process.versions.node, 10) >= 24) {
      console.log('    skipped: from Node 24 on the room for new objects grows now and then all the same');
      this.skip();
    }
    expect(roomForNewObjects([])).to.be.at.most(2 * MEGABYTE);
  });

  it('leaves that room to the operator who says how large it is to be', () => {
    expect(roomForNewObjects(['--max-semi-space-size=8'])).to.equal(16 * MEGABYTE);
    expect(roomForNewObjects([], { NODE_OPTIONS: '--max_semi_space_size=4' })).to.equal(8 * MEGABYTE);
  });

  it('lets the thread that serves go first', async function () {
    if (process.platform !== 'linux') {
      console.log('    skipped: threads have priorities of their own on Linux only');
      this.skip();
    }
    const { program } = await startServerProgram();
    const threads = readdirSync(`/proc/${program.pid}/task`).map(Number);
    const others = threads.filter((thread) => thread !== program.pid);
    const ownNiceness = getPriority(process.pid);
    expect(getPriority(program.pid)).to.equal(ownNiceness);
    // Those that the program has begun since, for files, are as it is itself.
    const behind = others.filter((thread) => niceness(program.pid, thread) === Math.min(ownNiceness + 5, 19));
    expect(behind.length).to.be.at.least(4);
  });
});

/** As the system has it. */
function niceness(process: number, thread: number): number {
  const behindTheName = readFileSync(`/proc/${process}/task/${thread}/stat`, 'utf8').split(') ')[1] as string;
  return Number(behindTheName.split(' ')[16]);
}
