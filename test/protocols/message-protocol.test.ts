import { endTest } from '../server/clean-up.ts';
import { DEADLOCK_TRANSCRIPTS } from './deadlock-transcripts.ts';
import { LOCK_ALL_TRANSCRIPTS } from './lock-all-transcripts.ts';
import { fits, replay } from './replay.ts';
import { TAKEN_TRANSCRIPTS } from './taken-transcripts.ts';
import { TRANSPORTS } from './transports.ts';

const TRANSCRIPTS = [...LOCK_ALL_TRANSCRIPTS, ...DEADLOCK_TRANSCRIPTS, ...TAKEN_TRANSCRIPTS];

for (const transport of TRANSPORTS) {
  describe(`the message protocol on ${transport.name}`, () => {
    afterEach(endTest);

    for (const transcript of TRANSCRIPTS) {
      if (fits(transcript, transport)) it(transcript.shows, () => replay(transcript, transport));
    }
  });
}
