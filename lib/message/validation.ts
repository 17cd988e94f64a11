/** Checks values against JSON schemas and says what is wrong: the field, its value and what was expected. */

import { Ajv, type ErrorObject } from 'ajv';
import { show } from './show.ts';

/** A JSON schema. A property's `description` is what people are told was expected there; nobody is shown the value of one that is `writeOnly`. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One thing that is wrong with a value. */
export interface Problem {
  /** Where, from the root's name on: `parameters.timeLimit`. */
  readonly field: string;
  readonly message: string;
}

/** A longer key is shown as a text. */
const MAX_KEY_CHARACTERS = 80;

/** Compiles schemas. Make one for many, since that is what takes time. */
export class SchemaCompiler {
  readonly #ajv: Ajv;

  /** With `fillDefaults`, missing properties take the `default` of their schema. */
  constructor(defaults: 'fillDefaults' | 'keep' = 'keep') {
    const useDefaults = defaults === 'fillDefaults';
    // Compiling finds the mistakes in a schema, too. Compiling the schema of schemas first takes a tenth of a server's start, and
    // what Ajv does to shorten its code another one, which makes no check faster.
    const code = { optimize: false };
    this.#ajv = new Ajv({ verbose: true, allowUnionTypes: true, validateSchema: false, useDefaults, code });
  }

  /** `root` is what the whole value is called in messages. */
  compile(schema: JsonSchema, root: string): Validator {
    const validate = this.#ajv.compile(schema);
    return { isValid: validate, problems: () => describeAll(validate.errors ?? [], root) };
  }
}

/** One compiled schema. */
export interface Validator {
  isValid(value: unknown): boolean;
  /** What is wrong with the value that was looked at last, the first thing first. */
  problems(): readonly Problem[];
}

function describeAll(errors: readonly ErrorObject[], root: string): readonly Problem[] {
  // What is wrong with each alternative says less than that none of them fits.
  return errors.filter(({ schemaPath }) => !schemaPath.includes('/anyOf/')).map((error) => describe(error, root));
}

function describe(error: ErrorObject, root: string): Problem {
  const at = root + error.instancePath.split('/').slice(1).map(unescapePointer).map(asAccess).join('');
  if (error.keyword === 'required') {
    const field = at + asAccess(String(error.params.missingProperty));
    return { field, message: `${field} is missing` };
  }
  if (error.keyword === 'additionalProperties') {
    const field = at + asAccess(String(error.params.additionalProperty));
    const known = Object.keys((error.parentSchema?.properties as object | undefined) ?? {});
    return { field, message: `${field} is not known; expected ${known.join(', ') || 'nothing'}` };
  }
  const description = error.parentSchema?.description;
  const rule = description === undefined ? `it ${error.message}` : `expected ${String(description)}`;
  const value = error.parentSchema?.writeOnly === true ? 'wrong' : show(error.data);
  return { field: at, message: `${at} is ${value}; ${rule}` };
}

function asAccess(key: string): string {
  if (/^\d+$/.test(key)) return `[${key}]`;
  const isShort = key.length <= MAX_KEY_CHARACTERS;
  return isShort && /^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${show(key)}]`;
}

function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
