import t from 'tap'
import { errorCodes, show, toError } from '../lib/errors.js'

t.test('gives each error the code that it is exported under, and a status', async (t) => {
  for (const [code, make] of Object.entries(errorCodes)) {
    const error = make('a', 'b', 'c')
    t.equal(error.code, code)
    t.ok(error.statusCode !== undefined && error.statusCode >= 400, code)
    t.ok(error instanceof Error)
    t.match(code, /^FST_(?:WS_RELAY|PROCESS|CLUSTER)_[A-Z_]+$/)
  }
})

t.test('has the codes and statuses of the contract', async (t) => {
  const statuses: Record<string, number> = {
    FST_WS_RELAY_INVALID_CONFIG: 500,
    FST_WS_RELAY_TARGET_NOT_ALIVE: 503,
    FST_WS_RELAY_ORIGIN_NOT_ALLOWED: 403,
    FST_WS_RELAY_UPGRADE_REQUIRED: 426,
    FST_WS_RELAY_BAD_HANDSHAKE: 400,
    FST_WS_RELAY_UPGRADE_TIMEOUT: 503,
    FST_WS_RELAY_OVERLOADED: 503,
    FST_WS_RELAY_CLOSING: 503
  }
  for (const [code, status] of Object.entries(statuses)) {
    t.equal(new errorCodes[code as 'FST_WS_RELAY_CLOSING']().statusCode, status, code)
  }
  for (const name of [
    'WS_RELAY_INVALID_OPTIONS',
    'WS_RELAY_INVALID_PAYLOAD',
    'WS_RELAY_TRANSFER_REFUSED',
    'PROCESS_NOT_ALIVE',
    'PROCESS_CALL_TIMEOUT',
    'PROCESS_CALL_FAILED',
    'PROCESS_REFUSED',
    'PROCESS_NAME_TAKEN',
    'PROCESS_INVALID_NAME',
    'PROCESS_INVALID_TOPIC',
    'PROCESS_INVALID_PID',
    'PROCESS_INVALID_DURATION',
    'PROCESS_INVALID_SPEC',
    'PROCESS_STOPPED'
  ]) { t.ok(`FST_${name}` in errorCodes, name) }
})

t.test('makes wrong use a TypeError', async (t) => {
  for (const code of [
    'FST_WS_RELAY_INVALID_OPTIONS',
    'FST_PROCESS_INVALID_NAME',
    'FST_PROCESS_INVALID_PID',
    'FST_PROCESS_INVALID_SPEC'
  ] as const) { t.ok(new errorCodes[code]('x') instanceof TypeError) }
})

t.test('shows a value cut, on one line, and without running its code', async (t) => {
  const fail = (): never => { throw new Error('ran') }
  const hostile = (value: object): object => Object.defineProperties(
    value, { toString: { value: fail }, [Symbol.toStringTag]: { get: fail } }
  )
  const cases: Array<[unknown, string]> = [
    ['text', 'text'],
    ['a\r\nb\0', 'a  b '],
    ['x'.repeat(81), `${'x'.repeat(80)}…`],
    ['x'.repeat(80), 'x'.repeat(80)],
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    [5n, '5'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [{}, '[object]'],
    [[], '[array]'],
    [() => {}, '[function]'],
    [hostile({}), '[object]'],
    [hostile(() => {}), '[function]']
  ]
  for (const [value, expected] of cases) t.equal(show(value), expected)
})

t.test('turns any thrown value into an Error', async (t) => {
  const error = new TypeError('unchanged')
  t.equal(toError(error), error)
  t.match(toError('text'), { message: 'text', cause: 'text' })
  t.match(toError(undefined), { message: 'undefined', cause: undefined })
  const fail = (): never => { throw new Error('ran') }
  const hostile = new Proxy({}, { get: fail, has: fail, getPrototypeOf: fail })
  const { proxy: revoked, revoke } = Proxy.revocable([], {})
  revoke()
  for (const thrown of [hostile, revoked, Object.create(hostile)]) {
    const { message, cause } = toError(thrown)
    t.equal(message, '[object]')
    t.ok(cause === thrown)
  }
})
