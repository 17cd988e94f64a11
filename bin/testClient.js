#!/usr/bin/env node
// Takes a lock, holds it and gives it back, for people to watch. `npm run build` makes what this runs.
import { runTestClient } from '../dist/lib/cli/test-client.js';

await runTestClient(process.argv.slice(2));
