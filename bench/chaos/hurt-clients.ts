/** Hurts the clients of a chaos run, one after the other, while others are hurt still. */

import { setTimeout as pause } from 'node:timers/promises';
import type { ClientFaults } from './client-faults.ts';
import { CLIENT_FAULTS, type ClientFaultKind } from './faults.ts';
import { type Planned, planRound, type ScheduleOptions } from './schedule.ts';

const TRY_AGAIN_MS = 100;

/** One round of the plan, with so much between two faults. Resolves once none of its faults is under way. */
export async function hurtClients(faults: ClientFaults, schedule: ScheduleOptions, gapMs: number): Promise<void> {
  const running: Promise<void>[] = [];
  const planned = planRound(CLIENT_FAULTS, schedule);
  while (planned.length > 0) {
    // One whose target is hurt for long lets others pass.
    const fault = beginFirst(faults, planned);
    if (fault === undefined) {
      await pause(TRY_AGAIN_MS);
      continue;
    }
    running.push(fault);
    await pause(gapMs * (0.5 + schedule.random()));
  }
  await Promise.all(running);
}

/** Begins the first fault that can begin, and takes it from the list. */
function beginFirst(faults: ClientFaults, planned: Planned<ClientFaultKind>[]): Promise<void> | undefined {
  for (const [index, each] of planned.entries()) {
    const fault = faults.begin(each);
    if (fault === undefined) continue;
    planned.splice(index, 1);
    return fault;
  }
  return undefined;
}
