/**
 * The version of this package, equal to the one in `package.json`. That file is not read at run time, so that programs
 * can be bundled.
 */
export const VERSION = '0.1.0';
