/** The two dialects of the line protocol: which commands each has, and what it says. */

/** `glockd`, and `lockd` as the PHP original and elockd had it. */
export type Dialect = 'glockd' | 'lockd';

/** The lines that commands answer, without their ends. */
export interface LineTexts {
  /** Whether a holder that asks again is told that it has the lock. */
  readonly getsAgain: boolean;
  getSuccess(name: string): string;
  getFailure(name: string): string;
  releaseSuccess(name: string): string;
  releaseFailure(name: string): string;
  isLocked(name: string): string;
  notLocked(name: string): string;
  sharedGetSuccess(name: string, count: number): string;
  sharedGetFailure(name: string): string;
  sharedReleaseSuccess(name: string): string;
  sharedReleaseFailure(name: string): string;
  sharedIsLocked(name: string, count: number): string;
  sharedNotLocked(name: string): string;
}

const COMMANDS: readonly string[] = ['g', 'r', 'i', 'sg', 'sr', 'si', 'q'];

/** As the original servers answer. */
export const DIALECTS: Readonly<Record<Dialect, { readonly commands: readonly string[]; readonly texts: LineTexts }>> =
  {
    glockd: {
      commands: [...COMMANDS, 'd', 'sd', 'dump', 'me', 'iam', 'who'],
      texts: {
        getsAgain: true,
        getSuccess: (name) => `1 Lock Get Success: ${name}`,
        getFailure: (name) => `0 Lock Get Failure: ${name}`,
        releaseSuccess: (name) => `1 Lock Release Success: ${name}`,
        releaseFailure: (name) => `0 Lock Release Failure: ${name}`,
        isLocked: (name) => `1 Lock Is Locked: ${name}`,
        notLocked: (name) => `0 Lock Not Locked: ${name}`,
        sharedGetSuccess: (name, count) => `${count} Shared Lock Get Success: ${name}`,
        sharedGetFailure: (name) => `0 Shared Lock Get Failure: ${name}`,
        sharedReleaseSuccess: (name) => `1 Shared Lock Release Success: ${name}`,
        sharedReleaseFailure: (name) => `0 Shared Lock Release Failure: ${name}`,
        sharedIsLocked: (name, count) => `${count} Shared Lock Is Locked: ${name}`,
        sharedNotLocked: (name) => `0 Shared Lock Not Locked: ${name}`,
      },
    },
    lockd: {
      commands: COMMANDS,
      texts: {
        getsAgain: false,
        getSuccess: () => '1 Got Lock',
        getFailure: () => '0 Cannot Get Lock',
        releaseSuccess: () => '1 Released Lock',
        releaseFailure: () => '0 Cannot Release Lock',
        isLocked: () => '1 Locked',
        notLocked: () => '0 Not Locked',
        sharedGetSuccess: (_name, count) => `${count} Got Lock`,
        sharedGetFailure: () => '0 Cannot Get Lock',
        sharedReleaseSuccess: () => '1 Released Lock',
        sharedReleaseFailure: () => '0 Cannot Release Lock',
        sharedIsLocked: (_name, count) => `${count} Locked`,
        sharedNotLocked: () => '0 Not Locked',
      },
    },
  };
