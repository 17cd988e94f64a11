/** One page of the names that are held or waited for, in name order. */

import { PageScan } from './page-scan.ts';

/** Which names a page is made of. */
export interface PageRequest {
  /** Only names that begin with this; empty for all. */
  readonly prefix: string;
  /** Only names that come behind this one. */
  readonly after?: string | undefined;
  /** How many names at most; a whole number from 1. */
  readonly max: number;
}

/** The search for one page of names. */
export class ListScan extends PageScan<string> {
  constructor(request: PageRequest, compareNames: (a: string, b: string) => number, names: Iterator<string>) {
    const { prefix, after, max } = request;
    super({
      max,
      compare: compareNames,
      isWanted: (name) => name.startsWith(prefix) && (after === undefined || compareNames(name, after) > 0),
      items: names,
    });
  }

  /** The page: names in order. */
  get names(): readonly string[] {
    return this.page;
  }
}
