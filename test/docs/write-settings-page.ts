/** Writes docs/settings.md anew: `npm run docs:settings` runs this. */

import { writeFileSync } from 'node:fs';
import { settingsPage } from './settings-page.ts';

writeFileSync('docs/settings.md', settingsPage());
