#!/usr/bin/env node
// Starts the lock server. `npm run build` makes what this runs.
import { runServer } from '../dist/lib/cli/server.js';

await runServer(process.argv.slice(2));
