/** What the example uses of sql.js, which brings no types of its own. */
declare module 'sql.js' {
  export interface Database {
    run(statement: string, parameters?: readonly (number | string)[]): unknown;
    exec(statement: string): { readonly values: readonly (readonly unknown[])[] }[];
    getRowsModified(): number;
  }
  export default function initSqlJs(): Promise<{ readonly Database: new () => Database }>;
}
