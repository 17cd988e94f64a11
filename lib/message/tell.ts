/** Calls listeners, which may throw. */

/** A listener that throws is an uncaught exception, as anywhere; it does not keep the others from what they are to do. */
export function tell(emit: () => void): void {
  try {
    emit();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
