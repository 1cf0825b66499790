import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { show, toError } from '../errors.js'
import { durationRange, longestDelay, toMilliseconds } from './duration.js'
import type { TSchema } from '@sinclair/typebox'
import type { Duration } from '../../types/pid.js'

/** The unit of an option whose value is a number. */
export type Unit =
  | 'bytes' | 'connections' | 'ends' | 'events' | 'fragments' | 'messages' | 'ms' | 'restarts'
  | 'upgrades'

/** One option: how its value is checked, and the facts that the documentation states. */
export interface Option<D = unknown> {
  readonly schema: TSchema
  /** The value where none is given. */
  readonly default: D
  /** A valid value in words, for error messages: "'name' must be …". */
  readonly expected: string
  readonly unit?: Unit
  /** Inclusive. */
  readonly min?: number
  /** Inclusive; absent: no limit of its own. */
  readonly max?: number
  /** The object has to have it. */
  readonly required?: true
  /** Checks a value where no schema can, such as an instance of a class. */
  readonly accepts?: (value: unknown) => boolean
  /** The value may contain a password, so no error shows it. */
  readonly secret?: true
}

/** A table of options, by their names. */
export type Options = Readonly<Record<string, Option>>

/** The default of each option of a table. */
export type Defaults<O extends Options> = { -readonly [K in keyof O]: O[K]['default'] }

/** An integer. */
export function integer<const D> (byDefault: D, unit?: Unit, min = 1, max?: number): Option<D> {
  const schema = Type.Integer({ minimum: min, maximum: max ?? Number.MAX_SAFE_INTEGER })
  const expected = `an integer from ${min}${max === undefined ? '' : ` to ${max}`}`
  return {
    schema,
    default: byDefault,
    expected,
    min,
    ...(unit && { unit }),
    ...(max !== undefined && { max })
  }
}

/** A number that need not be an integer. */
export function decimal<const D> (byDefault: D, min: number, max?: number): Option<D> {
  const schema = Type.Number({ minimum: min, ...max !== undefined && { maximum: max } })
  const expected = `a number from ${min}${max === undefined ? '' : ` to ${max}`}`
  return { schema, default: byDefault, expected, min, ...max !== undefined && { max } }
}

/** Milliseconds, or a string such as `'30s'`; the limits are in milliseconds. */
export function duration<const D> (
  byDefault: D, min = 0, required?: true, max = longestDelay
): Option<D> {
  return {
    // `toMilliseconds` is the check.
    schema: Type.Unknown(),
    default: byDefault,
    expected: `a duration of ${durationRange(min, max)}`,
    unit: 'ms',
    min,
    max,
    ...required && { required }
  }
}

/** One of some strings or numbers. */
export function choice<const V extends readonly (string | number)[]> (
  values: V,
  byDefault: V[number]
): Option<V[number]> {
  const expected = values
    .map((value) => typeof value === 'string' ? `'${value}'` : String(value))
    .join(', ')
    .replace(/, ([^,]*)$/, ' or $1')
  return {
    schema: Type.Union(values.map((value) => Type.Literal(value))),
    default: byDefault,
    expected
  }
}

/** A value that no schema describes. @param expected a valid value in words */
export function custom<const D> (
  byDefault: D,
  expected: string,
  accepts: (value: unknown) => boolean
): Option<D> {
  return { schema: Type.Unknown(), default: byDefault, expected, accepts }
}

export function flag<const D> (byDefault: D): Option<D> {
  return { schema: Type.Boolean(), default: byDefault, expected: 'a boolean' }
}

/** Without the options that have no default. */
export function defaultsOf<O extends Options> (options: O): Defaults<O> {
  const given = Object.entries(options).filter(([, option]) => option.default !== undefined)
  return Object.fromEntries(given.map(([name, option]) => [name, option.default])) as Defaults<O>
}

/** How {@link optionsCheck} words its errors. */
export interface CheckTerms {
  /** The owner of the options, such as `a child`; absent: "there is no option … here". */
  readonly owner?: string
  /** Stands before the name of an option whose value is wrong, such as `backoff.`. */
  readonly prefix?: string
  /** Tells users how to mend an unknown option. */
  readonly hint?: string
}

/** @param cause why a duration is not valid: an `FST_PROCESS_INVALID_DURATION` */
export type Fail = (problem: string, cause?: Error) => Error

/**
 * Compiles a table of options into a check. The check throws the error that `fail` makes of the
 * first problem: the name of the option, its value, and the expected kind of value.
 */
export function optionsCheck (
  options: Options,
  fail: Fail,
  terms: CheckTerms = {}
): (value: unknown) => void {
  const { owner, prefix = '', hint = '' } = terms
  const schemas = Object.entries(options).map(([name, { schema, required }]) => [
    name,
    required ? schema : Type.Optional(schema)
  ])
  const compiled = TypeCompiler.Compile(
    Type.Object(Object.fromEntries(schemas), { additionalProperties: false })
  )
  const durations = Object.entries(options).filter(([, { unit }]) => unit === 'ms')
  const customs = Object.entries(options).filter(([, { accepts }]) => accepts !== undefined)
  const unknown = (name: string): string =>
    owner === undefined
      ? `there is no option '${show(name)}' here, only ${Object.keys(options).join(', ')}${hint}`
      : `${owner} has no field '${show(name)}', only ${Object.keys(options).join(', ')}${hint}`
  const wrong = (name: string, value: unknown): string => {
    const { expected, secret } = options[name]
    const actual = secret ? 'another value' : `'${show(value)}'`
    return `'${prefix}${name}' must be ${expected}, got ${actual}`
  }

  return (value) => {
    if (!compiled.Check(value)) {
      const { path } = compiled.Errors(value).First()!
      // A JSON pointer: `/name`, or `/name/0` for an item of a list.
      const name = path.split('/')[1]?.replaceAll('~1', '/').replaceAll('~0', '~')
      if (name === undefined) {
        throw fail(
          `expected an object${owner === undefined ? '' : ` for ${owner}`}, got '${show(value)}'`
        )
      }
      if (!Object.hasOwn(options, name)) throw fail(unknown(name))
      throw fail(wrong(name, (value as Record<string, unknown>)[name]))
    }
    for (const [name, { accepts }] of customs) {
      const given = (value as Record<string, unknown>)[name]
      if (given !== undefined && !accepts!(given)) throw fail(wrong(name, given))
    }
    for (const [name, { min, max }] of durations) {
      const given = (value as Record<string, Duration | undefined>)[name]
      const problem = given === undefined ? undefined : durationProblem(given, min, max)
      if (problem !== undefined) throw fail(wrong(name, given), problem)
    }
  }
}

function durationProblem (
  value: Duration,
  min: number | undefined,
  max: number | undefined
): Error | undefined {
  try {
    toMilliseconds(value, min, max)
    return undefined
  } catch (err) {
    return toError(err)
  }
}
