import { expect } from 'chai';
import { show } from '../../lib/message/show.ts';
import { type JsonSchema, SchemaCompiler, type Validator } from '../../lib/message/validation.ts';

function compile(schema: JsonSchema, root = 'parameters'): Validator {
  return new SchemaCompiler().compile({ type: 'object', ...schema }, root);
}

function problemsOf(schema: JsonSchema, value: unknown): string[] {
  const validator = compile(schema);
  return validator.isValid(value) ? [] : validator.problems().map(({ message }) => message);
}

describe('Validator', () => {
  const schema: JsonSchema = {
    type: 'object',
    properties: {
      amount: { type: 'integer', minimum: 1, maximum: 9, description: 'a whole number from 1 to 9' },
      name: { type: 'string' },
      time: { anyOf: [{ type: 'number', minimum: 0 }, { const: false }], description: 'a number from 0, or false' },
      places: { type: 'array', items: { type: 'object', properties: { 'a/b~c': { const: 1, description: '1' } } } },
    },
    additionalProperties: false,
  };

  it('finds no fault with a value that fits the schema', () => {
    const value = { amount: 9, name: '', time: false, places: [{ 'a/b~c': 1 }] };
    expect(problemsOf(schema, value)).to.deep.equal([]);
  });

  it('names the field, its value and what was expected', () => {
    expect(problemsOf(schema, { amount: 0 })).to.deep.equal([
      'parameters.amount is 0; expected a whole number from 1 to 9',
    ]);
    const validator = compile(schema, 'settings');
    expect(validator.isValid({ amount: 'x' })).to.equal(false);
    expect(validator.problems()).to.deep.equal([
      { field: 'settings.amount', message: 'settings.amount is "x"; expected a whole number from 1 to 9' },
    ]);
  });

  it('describes a field with alternatives as a whole', () => {
    for (const time of ['soon', -1, true, null]) {
      expect(problemsOf(schema, { time })[0]).to.equal(
        `parameters.time is ${JSON.stringify(time)}; expected a number from 0, or false`,
      );
    }
  });

  it('describes a field without a description in plain words', () => {
    const [message] = problemsOf(schema, { name: 7 });
    expect(message).to.match(/^parameters\.name is 7; (it must be|expected) (a )?string$/);
  });

  it('never converts a value to the expected type', () => {
    const value = { amount: '3' };
    expect(problemsOf(schema, value)).to.have.length(1);
    expect(problemsOf(schema, { name: 3 })).to.have.length(1);
    expect(problemsOf(schema, { amount: true })).to.have.length(1);
    expect(value).to.deep.equal({ amount: '3' });
  });

  it('finds fields inside lists and under strange names', () => {
    expect(problemsOf(schema, { places: [{}, { 'a/b~c': 2 }] })).to.deep.equal([
      'parameters.places[1]["a/b~c"] is 2; expected 1',
    ]);
  });

  it('names missing and unknown fields', () => {
    expect(problemsOf({ required: ['lockName'] }, {})).to.deep.equal(['parameters.lockName is missing']);
    expect(problemsOf(schema, { Amount: 1 })).to.deep.equal([
      'parameters.Amount is not known; expected amount, name, time, places',
    ]);
    expect(problemsOf({ additionalProperties: false }, { a: 1 })).to.deep.equal([
      'parameters.a is not known; expected nothing',
    ]);
  });

  it('treats a field named __proto__ as unknown', () => {
    expect(problemsOf(schema, JSON.parse('{"__proto__":{"amount":1}}'))).to.deep.equal([
      'parameters.__proto__ is not known; expected amount, name, time, places',
    ]);
  });

  it('refuses a schema with an unknown keyword, type or kind of value', () => {
    const mistakes = [
      { minimun: 1 },
      { type: 'text' },
      { type: 'integer', minimum: '1' },
      { type: 'string', pattern: '(' },
      { type: 'object', required: 'a' },
    ];
    for (const mistake of mistakes) {
      expect(() => compile({ properties: { a: mistake } }), JSON.stringify(mistake)).to.throw(Error);
    }
  });

  it('fills in defaults only when told to', () => {
    const withDefault: JsonSchema = { type: 'object', properties: { port: { type: 'integer', default: 20_934 } } };
    const kept = {};
    compile(withDefault).isValid(kept);
    expect(kept).to.deep.equal({});
    const filled = {};
    new SchemaCompiler('fillDefaults').compile(withDefault, 'settings').isValid(filled);
    expect(filled).to.deep.equal({ port: 20_934 });
  });
});

describe('show', () => {
  it('shows values as JSON and cuts them when they are long', () => {
    expect(show({ a: ['\n'] })).to.equal('{"a":["\\n"]}');
    expect(show(undefined)).to.equal('undefined');
    expect(show('x'.repeat(1_000_000))).to.equal(`"${'x'.repeat(79)}...`);
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(show(JSON.parse(deep))).to.equal('[...]');
    expect(show('x'.repeat(78))).to.equal(`"${'x'.repeat(78)}"`);
  });
});
