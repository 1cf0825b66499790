import { TypeCompiler } from '@sinclair/typebox/compiler'
import { HasTransform } from '@sinclair/typebox/value'
import { errorCodes, show, toError } from '../errors.js'
import { Refused } from '../connection/protocol/definition.js'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { TSchema } from '@sinclair/typebox'
import type { DataCheck } from '../connection/protocol/definition.js'

/** TypeBox marks its schemas with this symbol, which all its copies share. */
const typeBoxKind = Symbol.for('TypeBox.Kind')

function isTypeBox (schema: object): schema is TSchema {
  return typeof (schema as Record<symbol, unknown>)[typeBoxKind] === 'string'
}

function isStandard (schema: object): schema is StandardSchemaV1 {
  const { validate } = (schema as Partial<StandardSchemaV1>)['~standard'] ?? {}
  return typeof validate === 'function'
}

function invalid (where: string, problem: string, cause?: unknown): Error {
  const text = `'${show(where)}' ${problem}`
  return new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(text, { cause })
}

/**
 * Checks that a value is a schema.
 * @param where its place in the protocol, for the error
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function checkSchema (
  schema: unknown, where: string
): asserts schema is TSchema | StandardSchemaV1 {
  const isObject = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  if (isObject && (isTypeBox(schema) || isStandard(schema))) return
  throw invalid(where, `must be a TypeBox schema, or one with '~standard', got '${show(schema)}'`)
}

/**
 * Compiles a schema into a check.
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function compileSchema (schema: unknown, where: string): DataCheck {
  checkSchema(schema, where)
  return isTypeBox(schema) ? compileTypeBox(schema, where) : compileStandard(schema, where)
}

function compileTypeBox (schema: TSchema, where: string): DataCheck {
  // Only the check of a transform would run, so that its types and its data would not agree.
  if (HasTransform(schema, [])) throw invalid(where, 'must not contain a Type.Transform')
  const compiled = compileSafely(schema, where)
  return (data) => {
    return compiled.Check(data) ? data : new Refused(compiled.Errors(data).First()!.path)
  }
}

function compileSafely (
  schema: TSchema, where: string
): ReturnType<typeof TypeCompiler.Compile<TSchema>> {
  try {
    return TypeCompiler.Compile(schema)
  } catch (err) {
    throw invalid(where, 'cannot be compiled by TypeBox', err)
  }
}

function compileStandard (schema: StandardSchemaV1, where: string): DataCheck {
  const { '~standard': standard } = schema
  const check: DataCheck = (data) => {
    const result = standard.validate(data)
    // A promise of another library is no instance of `Promise`.
    if ('then' in result) {
      result.then(undefined, () => {})
      throw invalid(where, 'must check synchronously, but returned a promise')
    }
    return result.issues === undefined ? result.value : new Refused(pathOf(result.issues))
  }
  checkOnce(check)
  return check
}

/** Finds a schema that always returns a promise before a client does. */
function checkOnce (check: DataCheck): void {
  try {
    check(undefined)
  } catch (err) {
    if (toError(err) instanceof errorCodes.FST_WS_RELAY_INVALID_OPTIONS) throw err
  }
}

/** The path of the first issue as a JSON pointer. */
function pathOf ([issue]: readonly StandardSchemaV1.Issue[]): string {
  const keys = issue?.path ?? []
  return keys.map((part) => {
    const key = typeof part === 'object' ? part.key : part
    return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
  }).join('')
}
