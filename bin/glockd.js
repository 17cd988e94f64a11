#!/usr/bin/env node
// Starts the lock server under glockd's command line. `npm run build` makes what this runs.
import { runGlockd } from '../dist/lib/cli/glockd.js';

await runGlockd(process.argv.slice(2));
