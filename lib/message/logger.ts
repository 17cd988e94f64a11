/** Where a server reports what its operator should know. */

/** As pino and others have it: details to search for, then a sentence. */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** Prints warnings and errors and drops the rest: what a server does that was given no logger. */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn(details, message) {
    console.warn(message, details);
  },
  error(details, message) {
    console.error(message, details);
  },
};
