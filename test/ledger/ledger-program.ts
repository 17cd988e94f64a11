/**
 * A process with the ledger of a directory, named by the first argument. It says `open`, or the code of a `LedgerError`. If the
 * second argument is `one` it adds a session and says so. If it is `busy`, it adds sessions and takes tokens as fast as it can
 * and says what is confirmed.
 */

import { openFileLedger } from '../../lib/ledger/file-ledger.ts';
import type { Ledger } from '../../lib/ledger/ledger.ts';
import type { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { RecordingReport, session } from './ledger-scene.ts';

const ADDERS = 20;
const TOKENS_A_SESSION = 1_000;

const [directory = '', mode = ''] = process.argv.slice(2);
let sessions = 0;

try {
  const options = { directory, nowMs: Date.now(), report: new RecordingReport(), blockSize: 65_536 };
  const ledger = await openFileLedger(options);
  process.stdout.write('open\n');
  if (mode === 'one') {
    await ledger.sessions.add(session('one'));
    process.stdout.write('added\n');
  }
  if (mode === 'busy') for (let count = 0; count < ADDERS; count += 1) void addForEver(ledger);
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${(error as LedgerError).code} ${(error as LedgerError).message}\n`);
}

async function addForEver(ledger: Ledger): Promise<never> {
  for (;;) {
    sessions += 1;
    const id = `${process.pid}-${sessions}`;
    await ledger.sessions.add(session(id));
    for (let count = 0; count < TOKENS_A_SESSION && ledger.tokens.has(1); count += 1) ledger.tokens.next();
    process.stdout.write(`${id} ${ledger.tokens.last}\n`);
  }
}
