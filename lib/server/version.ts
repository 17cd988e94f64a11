/** The version of this package: as in `package.json`, which nothing reads at run time, so that programs can be bundled. */
export const VERSION = '0.1.0';
