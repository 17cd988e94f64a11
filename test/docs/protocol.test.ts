import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { CONNECTION_REFUSALS } from '../../lib/message/refusals.ts';
import { COMMAND_REFUSALS } from '../../lib/server/command-refusals.ts';
import { LOCK_COMMANDS } from '../../lib/server/lock-commands.ts';
import { STATUSES, UNAVAILABLE_REASONS } from '../../lib/wire/statuses.ts';
import { endTest } from '../server/clean-up.ts';
import { readTranscripts, replay } from './transcript.ts';
import { startTranscriptServer } from './transcript-server.ts';

const document = readFileSync('docs/protocol.md', 'utf8');
const transcripts = readTranscripts(document);

describe('docs/protocol.md', () => {
  afterEach(endTest);

  for (const [index, transcript] of transcripts.entries()) {
    it(`shows what the server answers: ${transcript.title}, example ${index + 1}`, async () => {
      await replay(transcript, await startTranscriptServer(transcript));
    });
  }

  it('has an example of each command', () => {
    const sent = transcripts.flatMap(({ lines }) => lines.filter((line) => line[1] === '>')).join('\n');
    for (const command of Object.keys(LOCK_COMMANDS)) expect(sent).to.include(`"command":"${command}"`);
  });

  it('has an example of each status but internal, and of each reason, event and state of a session', () => {
    const received = transcripts.flatMap(({ lines }) => lines.filter((line) => line[1] === '<')).join('\n');
    const expected = {
      status: Object.keys(STATUSES).filter((status) => status !== 'internal'),
      reason: [...Object.keys(UNAVAILABLE_REASONS), 'lease', 'stolen', 'forced'],
      event: ['lost', 'ended', 'goaway'],
      state: ['opened', 'resumed', 'reclaim', 'gone'],
    };
    for (const [key, values] of Object.entries(expected)) {
      for (const value of values) expect(received).to.include(`"${key}":"${value}"`);
    }
  });

  it('names each parameter of each command', () => {
    for (const [command, { parameters }] of Object.entries(LOCK_COMMANDS)) {
      const start = document.search(new RegExp(`^### .*\\b${command}\\b`, 'm'));
      expect(start, command).to.be.greaterThan(0);
      const section = document.slice(start, document.indexOf('\n##', start + 1));
      for (const name of Object.keys(parameters.properties as object)) {
        expect(section, `${name} of ${command}`).to.include(`\`${name}\``);
      }
    }
  });

  it('has the same statuses and reasons as the code', () => {
    const section = document.slice(document.indexOf('\n## Results'), document.indexOf('\n## Locks'));
    const rows = [...section.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, status, meaning]) => [status, meaning]);
    expect(rows).to.deep.equal([...Object.entries(STATUSES), ...Object.entries(UNAVAILABLE_REASONS)]);
  });

  it('has the same reasons of refusals as the code', () => {
    const section = document.slice(document.indexOf('\n## Refusals'), document.indexOf('\n## Connections'));
    const rows = [...section.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map(([, reason, meaning]) => [reason, meaning]);
    expect(rows).to.deep.equal(Object.entries({ ...CONNECTION_REFUSALS, ...COMMAND_REFUSALS }));
  });
});
