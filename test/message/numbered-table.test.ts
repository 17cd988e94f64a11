import { expect } from 'chai';
import fc from 'fast-check';
import { NumberedTable } from '../../lib/message/numbered-table.ts';
import { bytesKeptBy } from '../support/garbage.ts';

interface Entry {
  id: number;
}

function addTo(table: NumberedTable<Entry>): Entry {
  const entry = { id: 0 };
  table.add(entry);
  return entry;
}

describe('NumberedTable', () => {
  it('has the same entries as a map after any additions and deletions', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200 }), { maxLength: 400 }), (steps) => {
        const table = new NumberedTable<Entry>();
        const model = new Map<number, Entry>();
        let lastId = 0;
        for (const step of steps) {
          const ids = [...model.keys()];
          const id = ids[step % 5 === 0 ? step % ids.length : -1];
          if (id === undefined) {
            const entry = addTo(table);
            expect(entry.id).to.be.greaterThan(lastId);
            lastId = entry.id;
            model.set(entry.id, entry);
          } else {
            expect(table.delete(id)).to.equal(model.get(id));
            model.delete(id);
          }
          expect(table.size).to.equal(model.size);
        }
        expect(table.inOrder()).to.deep.equal([...model.values()]);
        for (let id = -1; id <= lastId + 1; id += 1) expect(table.get(id)).to.equal(model.get(id));
      }),
    );
  });

  it('never gives a number twice, even if one entry stays very long', () => {
    const table = new NumberedTable<Entry>();
    const old = addTo(table);
    const ids = new Set([old.id]);
    for (let count = 1; count < 10_000; count += 1) {
      const { id } = addTo(table);
      expect(table.get(old.id)).to.equal(old);
      table.delete(id);
      expect(table.get(id)).to.equal(undefined);
      ids.add(id);
    }
    expect(ids.size).to.equal(10_000);
  });

  it('ignores the deletion of an old number, even if another entry has its place', () => {
    const table = new NumberedTable<Entry>();
    const entries = Array.from({ length: 100 }, () => {
      const entry = addTo(table);
      table.delete(entry.id);
      return entry;
    });
    const last = addTo(table);
    for (const { id } of entries) table.delete(id);
    expect([table.size, table.get(last.id)]).to.deep.equal([1, last]);
  });

  it('frees the memory of many entries once all of them are deleted', () => {
    const tables = Array.from({ length: 20 }, () => new NumberedTable<Entry>());
    const bytesKept = bytesKeptBy(() => {
      for (const table of tables) {
        const entries = Array.from({ length: 30_000 }, () => addTo(table));
        for (const { id } of entries) table.delete(id);
      }
    });
    expect(bytesKept / tables.length).to.be.below(50_000);
    for (const table of tables) expect(addTo(table).id).to.be.greaterThan(30_000);
  });

  it('goes on counting after all entries were taken', () => {
    const table = new NumberedTable<Entry>();
    const entries = Array.from({ length: 40 }, () => addTo(table));
    expect(table.takeAll()).to.deep.equal(entries);
    expect([table.size, table.inOrder()]).to.deep.equal([0, []]);
    expect(addTo(table).id).to.be.greaterThan(40);
  });

  it('finds nothing under numbers that it never gave', () => {
    const table = new NumberedTable<Entry>();
    addTo(table);
    for (const id of [0, -1, 1.5, 17, 2 ** 32 + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(table.get(id)).to.equal(undefined);
      expect(table.delete(id)).to.equal(undefined);
    }
  });
});
