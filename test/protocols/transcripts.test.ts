import { endTest } from '../server/clean-up.ts';
import { DEADLOCK_TRANSCRIPTS } from './deadlock-transcripts.ts';
import { LINE_TRANSCRIPTS } from './line-transcripts.ts';
import { LISTING_TRANSCRIPTS } from './listing-transcripts.ts';
import { LOCK_ALL_TRANSCRIPTS } from './lock-all-transcripts.ts';
import { LOCKD_TRANSCRIPTS } from './lockd-transcripts.ts';
import { MIXED_TRANSCRIPTS } from './mixed-transcripts.ts';
import { NAME_TRANSCRIPTS } from './name-transcripts.ts';
import { fits, replay } from './replay.ts';
import { STATISTICS_TRANSCRIPTS } from './statistics-transcripts.ts';
import { TAKEN_TRANSCRIPTS } from './taken-transcripts.ts';
import { TRANSPORTS } from './transports.ts';

const PROTOCOLS = {
  'the line protocol': [...LINE_TRANSCRIPTS, ...NAME_TRANSCRIPTS, ...LISTING_TRANSCRIPTS, ...STATISTICS_TRANSCRIPTS],
  "lockd's line protocol": LOCKD_TRANSCRIPTS,
  'the line protocol beside messages': MIXED_TRANSCRIPTS,
  'the message protocol': [...LOCK_ALL_TRANSCRIPTS, ...DEADLOCK_TRANSCRIPTS, ...TAKEN_TRANSCRIPTS],
};

for (const transport of TRANSPORTS) {
  for (const [protocol, transcripts] of Object.entries(PROTOCOLS)) {
    describe(`${protocol} on ${transport.name}`, () => {
      afterEach(endTest);

      for (const transcript of transcripts) {
        if (fits(transcript, transport)) it(transcript.shows, () => replay(transcript, transport));
      }
    });
  }
}
