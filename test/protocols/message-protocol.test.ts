import { endTest } from '../server/clean-up.ts';
import { MESSAGE_TRANSCRIPTS } from './message-transcripts.ts';
import { fits, replay } from './replay.ts';
import { TRANSPORTS } from './transports.ts';

for (const transport of TRANSPORTS) {
  describe(`the message protocol on ${transport.name}`, () => {
    afterEach(endTest);

    for (const transcript of MESSAGE_TRANSCRIPTS) {
      if (fits(transcript, transport)) it(transcript.shows, () => replay(transcript, transport));
    }
  });
}
