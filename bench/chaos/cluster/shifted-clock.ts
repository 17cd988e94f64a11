/** Loaded into a server of a chaos run before anything else: its wall clock is wrong by as much as it is told, and jumps on a signal. */

const JUMP_MS = 3_600_000;

const now = Date.now;
let aheadMs = Number(process.env.CHAOS_CLOCK_AHEAD_MS);
let jumpMs = JUMP_MS;
Date.now = () => now() + aheadMs;
process.on('SIGUSR1', () => {
  aheadMs += jumpMs;
  jumpMs = -jumpMs;
});
