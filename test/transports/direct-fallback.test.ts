import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SystemProgram } from '../foreign/system-program.ts';
import { endTest, whenTestEnds } from '../server/clean-up.ts';
import { RawClient } from '../server/raw-client.ts';

const PROGRAM = fileURLToPath(new URL('direct-program.js', import.meta.url));
const SERVER = fileURLToPath(new URL('../../../bin/server.js', import.meta.url));

/** More than the shared buffer of direct sockets, and than the system takes at once. */
const LONG_TEXT = 'some bytes and '.repeat(200_000);

/** The options of a Node that runs this code first. */
function nodeAfter(deed: string): string[] {
  return ['--import', `data:text/javascript,${encodeURIComponent(deed)}`];
}

/** Changes these members of the binding that direct sockets use. */
function changedBinding(members: string): string {
  return `const { binding } = process; process.binding = (name) => ({ ...binding.call(process, name), ${members} })`;
}

/** How a later Node may change the internals that direct sockets use. */
const WITHOUT_INTERNALS: Readonly<Record<string, string[]>> = {
  'has no process.binding': nodeAfter('delete process.binding'),
  'throws when it is asked for a binding': nodeAfter('process.binding = () => { throw new Error("gone"); }'),
  'has an empty binding': nodeAfter('process.binding = () => ({})'),
  'counts what was read in other numbers': nodeAfter(changedBinding('streamBaseState: new Float64Array(8)')),
  'counts what was read in another place': nodeAfter(changedBinding('kReadBytesOrError: 99')),
  'does not count what was written': nodeAfter(changedBinding('kBytesWritten: undefined')),
  'does not tell whether a write is done': nodeAfter(changedBinding('kLastWriteWasAsync: undefined')),
  'knows nothing of writes': nodeAfter(changedBinding('WriteWrap: undefined')),
  'has handles that take no buffer': nodeAfter('process.binding("tcp_wrap").TCP.prototype.useUserBuffer = undefined'),
  'restricts what programs may do': [
    process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission',
    '--allow-fs-read=*',
  ],
};

/** How the program uses a connection when this Node runs it. It must echo its input. */
async function usageBy(options: readonly string[], sockets?: string): Promise<string> {
  const program = new SystemProgram(process.execPath, [...options, PROGRAM], { HOLDFAST_SOCKETS: sockets });
  const socket = connect({ port: Number(await program.nextLine()), host: '127.0.0.1', allowHalfOpen: true });
  whenTestEnds(() => socket.destroy());
  await once(socket, 'connect');
  socket.end(LONG_TEXT);
  expect((await text(socket)) === LONG_TEXT, 'whether everything came back').to.equal(true);
  return program.nextLine();
}

describe('the way accepted sockets are used', () => {
  afterEach(endTest);

  it('is direct in an ordinary Node', async () => {
    expect(await usageBy([])).to.equal('directly');
  });

  it('is by streams if HOLDFAST_SOCKETS says so', async () => {
    expect(await usageBy([], 'streams')).to.equal('as a stream');
  });

  for (const [node, options] of Object.entries(WITHOUT_INTERNALS)) {
    it(`is by streams in a Node that ${node}`, async () => {
      expect(await usageBy(options)).to.equal('as a stream');
    });
  }

  it('leaves the server usable: its locks are taken, released, and freed by a disconnect', async () => {
    const options = nodeAfter('process.binding = () => { throw new Error("gone"); }');
    const program = new SystemProgram(process.execPath, [...options, SERVER, '--port', 'auto'], {
      HOLDFAST_SOCKETS: undefined,
    });
    const address = / listens on (\S+),/.exec(await program.nextLine())?.[1] as string;
    const [first, second] = [await RawClient.connect(address), await RawClient.connect(address)];
    whenTestEnds(() => {
      for (const { socket } of [first, second]) socket.destroy();
    });
    for (const lockName of ['released', 'kept']) await first.request('lock', { lockName }, lockName);
    expect(await first.request('unlock', { lockName: 'released' }, 1)).to.have.nested.property('result.status', 'ok');
    for (const lockName of ['kept', 'released']) {
      second.send({ command: 'lock', parameters: { lockName }, id: lockName });
    }
    expect(await second.next(), 'which does not wait').to.deep.include({ id: 'released' });
    first.reset();
    const kept = await second.next();
    expect(kept).to.deep.include({ id: 'kept' });
    expect(kept).to.have.nested.property('result.status', 'ok');
  });
});
