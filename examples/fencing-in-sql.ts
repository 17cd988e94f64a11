/**
 * A fencing token checked in SQL. Each row remembers the greatest token that wrote it, and a statement with a smaller one
 * changes nothing: so a holder that lost its lock and does not know it yet does no harm. SQLite stands for the database;
 * the statement is the same in any other.
 *
 *     node dist/examples/fencing-in-sql.js 20934
 */

import { LockClient } from 'holdfast';
import initSqlJs from 'sql.js';

const port = Number(process.argv[2] ?? 20_934);
const { Database } = await initSqlJs();
const database = new Database();
database.run('CREATE TABLE accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL, token INTEGER NOT NULL)');
database.run("INSERT INTO accounts VALUES ('ann', 100, 0)");

const slow = await LockClient.connect({ port, name: 'slow' });
const slowLock = await slow.lock('account ann');
const slowRead = balance();
// A pause, a cut cable: the server frees the lock, and the slow one works on with what it has read.
await slow.close();

const fast = await LockClient.connect({ port, name: 'fast' });
await fast.locked('account ann', ({ token }) => {
  console.log(`fast writes: ${setBalance(balance() - 30, token)}`);
});
console.log(`slow writes: ${setBalance(slowRead - 50, slowLock.token)}`);
console.log(`balance: ${balance()}`);
await fast.close();

function balance(): number {
  return Number(database.exec("SELECT balance FROM accounts WHERE name = 'ann'")[0]?.values[0]?.[0]);
}

/** Whether the row was written: not when a greater token has written it before. */
function setBalance(amount: number, token: number): boolean {
  const statement = "UPDATE accounts SET balance = ?, token = ? WHERE name = 'ann' AND token <= ?";
  database.run(statement, [amount, token, token]);
  return database.getRowsModified() === 1;
}
