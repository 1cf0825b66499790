import { Type } from '@sinclair/typebox'
import { errorCodes } from '../errors.js'
import { custom, flag, optionsCheck } from '../shared/options.js'
import { actions } from './frames.js'
import type { onRequestHookHandler, preHandlerHookHandler } from 'fastify'
import type { Option } from '../shared/options.js'
import type { Action } from './frames.js'

const { FST_WS_RELAY_INVALID_OPTIONS } = errorCodes

/** Options of `register(dashboard, …)`, besides those of Fastify. */
export interface DashboardOptions {
  /** Hooks of all routes of the dashboard. They decide who may see it, at each reconnect too. */
  onRequest?: onRequestHookHandler | onRequestHookHandler[]
  /** The same, after the body was parsed and the query was validated. */
  preHandler?: preHandlerHookHandler | preHandlerHookHandler[]
  /**
   * The actions that its users may do, besides looking: some of `close` (a connection), `exit`,
   * `cancel`, `transfer` (a connection to another target) and `send`. Each use is logged.
   * @defaultValue false
   */
  actions?: false | readonly Action[]
  /**
   * Allows a dashboard without hooks. It answers this computer only: the peer and the `Host` are
   * loopback, and no header shows a proxy.
   * @defaultValue false
   */
  unprotected?: boolean
}

const isHooks = (value: unknown): boolean => {
  return [value].flat().every((hook) => typeof hook === 'function')
}
const hooks = custom(undefined, 'a function or an array of functions', isHooks)

/** The options, besides those of Fastify. */
export const optionTable = {
  onRequest: hooks,
  preHandler: hooks,
  actions: {
    schema: Type.Union([
      Type.Literal(false), Type.Array(Type.Union(actions.map((action) => Type.Literal(action))))
    ]),
    default: false,
    expected: `false or an array of ${actions.join(', ')}`
  },
  unprotected: flag(false)
} satisfies Record<keyof DashboardOptions, Option>

const check = optionsCheck(
  optionTable, (problem, cause) => new FST_WS_RELAY_INVALID_OPTIONS(problem, { cause })
)

/** Options of Fastify's own `register`. */
const fastifyOptions = ['prefix', 'logLevel', 'logSerializers']

/** The options of a dashboard, checked. */
export interface DashboardSettings {
  readonly onRequest: onRequestHookHandler[]
  readonly preHandler: preHandlerHookHandler[]
  readonly actions: readonly Action[]
  readonly isUnprotected: boolean
}

/** @throws `FST_WS_RELAY_INVALID_OPTIONS`, also if nothing protects the dashboard */
export function dashboardSettings (input: object): DashboardSettings {
  const options: DashboardOptions = Object.fromEntries(
    Object.entries(input).filter(([name, value]) => {
      return value !== undefined && !fastifyOptions.includes(name)
    })
  )
  check(options)
  const { onRequest = [], preHandler = [], actions, unprotected = false } = options
  const settings = {
    onRequest: [onRequest].flat(),
    preHandler: [preHandler].flat(),
    actions: actions || [],
    isUnprotected: unprotected
  }
  const hasHook = settings.onRequest.length > 0 || settings.preHandler.length > 0
  if (!hasHook && !unprotected) {
    throw new FST_WS_RELAY_INVALID_OPTIONS(
      "a dashboard needs 'onRequest' or 'preHandler' of its own, which decides who may see it: " +
      "register(dashboard, { prefix: '/processes', onRequest: [auth] }). " +
      "With 'unprotected: true' it answers this computer only"
    )
  }
  return settings
}
