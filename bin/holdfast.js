#!/usr/bin/env node
// Runs commands under locks and tells what a lock server does. `npm run build` makes what this runs.
import { runHoldfast } from '../dist/lib/cli/holdfast/program.js';

await runHoldfast(process.argv.slice(2));
