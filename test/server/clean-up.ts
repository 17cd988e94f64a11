/** What tests leave open is closed when they end, whether they passed or not, the last opened first. */

const actions: (() => unknown)[] = [];

/** Something to do when the running test has ended. */
export function whenTestEnds(action: () => unknown): void {
  actions.push(action);
}

/** For `afterEach`: does all of it, and fails if any of it failed. */
export async function endTest(): Promise<void> {
  const errors: unknown[] = [];
  for (let action = actions.pop(); action !== undefined; action = actions.pop()) {
    try {
      await action();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'what the test left open could not be closed');
}
