/** Tunes the engine, keeps a million objects, and prints how much room there is for new ones. */

import { getHeapSpaceStatistics } from 'node:v8';
import { tuneEngine } from '../../lib/cli/tune-engine.ts';

tuneEngine();
const kept: object[] = [];
while (kept.length < 1_000_000) kept.push({ number: kept.length });
console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size);
