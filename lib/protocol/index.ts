import { errorCodes, show } from '../errors.js'
import { ProtocolDefinition } from '../connection/protocol/definition.js'
import { choice, custom, optionsCheck } from '../shared/options.js'
import { checkSchema, compileSchema } from './compile.js'
import type { DataCheck } from '../connection/protocol/definition.js'
import type {
  CallDeclaration, DataSchema, Protocol, ProtocolOptions, TopicSchemas
} from '../../types/protocol.js'

export type * from '../../types/protocol.js'

const maxLength = 128

/** A topic that is answered. */
class Declaration {
  readonly data: unknown
  readonly reply: unknown

  constructor (data: unknown, reply: unknown) {
    this.data = data
    this.reply = reply
    Object.freeze(this)
  }
}

/**
 * Declares a topic that is answered, by the target in `client`, by the client in `server`.
 *
 * @param schemas of the data, and of the answer. The answer of a client is checked; the one of a
 * target has a type only
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`
 */
export function Call<D extends DataSchema, R extends DataSchema> (
  schemas: { readonly data: D, readonly reply: R }
): CallDeclaration<D, R> {
  checkCall(schemas)
  const { data, reply } = schemas
  checkSchema(data, 'data')
  checkSchema(reply, 'reply')
  return new Declaration(data, reply) as unknown as CallDeclaration<D, R>
}

const fail = (problem: string): Error => new errorCodes.FST_WS_RELAY_INVALID_OPTIONS(problem)

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const anySchema = { ...custom(undefined, 'a schema', () => true), required: true as const }
const checkCall = optionsCheck({ data: anySchema, reply: anySchema }, fail, { owner: 'a Call' })

const topics = custom({}, 'an object of topics and their schemas', isObject)
const checkTopics = optionsCheck({ client: topics, server: topics }, fail, { owner: 'a protocol' })
const checkOptions = optionsCheck({ invalid: choice(['drop', 'close'], 'drop') }, fail)

/**
 * Defines the messages between clients and the server, as JSON of the form `{"topic", "data"}`.
 * A route uses it by `reply.relay(target, { protocol })`; then the target gets checked messages
 * only. Schemas are compiled here, once.
 *
 * @param name 1 to 128 characters. Give each protocol of an application a name of its own, because
 * another node knows it by its name
 * @param topics in `client` those that clients send, in `server` those that the server sends. A
 * topic has 1 to 128 characters, and does not begin with `@` or `ws.`. The data of the server has a
 * type only, and is not checked
 * @throws `FST_WS_RELAY_INVALID_OPTIONS`, also for a schema that returns a promise
 *
 * @example
 * ```ts
 * const chat = protocol('chat', {
 *   client: { say: Type.Object({ text: Type.String({ maxLength: 500 }) }) },
 *   server: { said: Type.Object({ from: Type.String(), text: Type.String() }) }
 * })
 * ```
 */
export function protocol<C extends TopicSchemas = {}, S extends TopicSchemas = {}> (
  name: string,
  topics: { readonly client?: C, readonly server?: S },
  options: ProtocolOptions = {}
): Protocol<C, S> {
  if (typeof name !== 'string' || name.length < 1 || name.length > maxLength) {
    throw fail(`the name of a protocol must have 1 to ${maxLength} characters, got '${show(name)}'`)
  }
  checkTopics(topics)
  checkOptions(options)
  const client = { ...topics.client }
  const server = { ...topics.server }
  const rules = {
    name,
    messages: compileMessages(client),
    answers: compileAnswers(server),
    closes: options.invalid === 'close'
  }
  Object.freeze(client)
  Object.freeze(server)
  return new ProtocolDefinition(rules, client, server) as unknown as Protocol<C, S>
}

function compileMessages (client: TopicSchemas): Map<string, DataCheck> {
  const checks = new Map<string, DataCheck>()
  for (const [topic, declared] of Object.entries(client)) {
    const where = placeOf('client', topic)
    checks.set(topic, compileSchema(isCall(declared) ? declared.data : declared, where))
  }
  return checks
}

function compileAnswers (server: TopicSchemas): Map<string, DataCheck> {
  const checks = new Map<string, DataCheck>()
  for (const [topic, declared] of Object.entries(server)) {
    const where = placeOf('server', topic)
    if (isCall(declared)) checks.set(topic, compileSchema(declared.reply, where))
    else checkSchema(declared, where)
  }
  return checks
}

function isCall (declared: unknown): declared is CallDeclaration {
  return declared instanceof Declaration
}

/** @throws `FST_WS_RELAY_INVALID_OPTIONS` for a topic that a message cannot have */
function placeOf (side: 'client' | 'server', topic: string): string {
  if (topic.length < 1 || topic.length > maxLength || /^(?:@|ws\.)/.test(topic)) {
    throw fail(
      `a topic of '${side}' must have 1 to ${maxLength} characters, and not begin with '@' or ` +
      `'ws.', got '${show(topic)}'`)
  }
  return `${side}.${topic}`
}
