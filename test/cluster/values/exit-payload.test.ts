import t from 'tap'
import { frame, TestNode } from '../fixtures/pair.js'
import { encodeFrame } from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { exitFields, exitOf } from '../../../lib/cluster/values/exit-payload.js'
import { payloadKinds } from '../../../lib/cluster/values/payload.js'
import { toError } from '../../../lib/errors.js'
import { maxFrameBytes } from '../../../lib/cluster/link/fragments.js'
import { tookJoin } from '../../../lib/process/exits/unread-joins.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const pid = '1@a.1' as Pid

let hub = new TestNode('a')
t.beforeEach(() => { hub = new TestNode('a') })

function cross (exit: Exit): Exit | undefined {
  return exitOf(frame({ type: frameTypes.down, ...exitFields(exit, hub) }), pid)
}

t.test('sends an exit with its reason, and with value and error if there are any', async (t) => {
  t.strictSame(cross({ pid, reason: 'normal' }), { pid, reason: 'normal' })
  t.equal(
    exitFields({ pid, reason: 'normal' }, hub).body?.length,
    0,
    'and costs no bytes when there is nothing more'
  )
  t.strictSame(cross({ pid, reason: 'normal', value: { rows: [1, 2] } }), {
    pid,
    reason: 'normal',
    value: { rows: [1, 2] }
  })
  t.strictSame(cross({ pid, reason: 'normal', value: null }), {
    pid,
    reason: 'normal',
    value: null
  })
  const failed = cross({
    pid,
    reason: 'error',
    error: Object.assign(new RangeError('too far'), { code: 'E_FAR' })
  })!
  t.match(failed, {
    reason: 'error',
    error: { name: 'RangeError', message: 'too far', code: 'E_FAR' }
  })
  t.notOk('value' in failed)
  t.match(cross({ pid, reason: 'shutdown', value: 7, error: new Error('no') }), {
    value: 7,
    error: { message: 'no' }
  })
})

t.test('sends with each kind of exit whether the target took the join', async (t) => {
  const exits: Exit[] = [
    { pid, reason: 'normal' },
    { pid, reason: 'normal', value: 1 },
    { pid, reason: 'error', error: new Error('why') },
    { pid, reason: 'error', value: 1, error: new Error('why') },
    { pid, reason: 'error', error: new Error('x'.repeat(40 * 1024 * 1024)) }
  ]
  for (const exit of exits) {
    for (const took of [true, false]) {
      const crossed = exitOf(frame({ type: frameTypes.down, ...exitFields(exit, hub, took) }), pid)!
      t.equal(tookJoin(crossed, pid), took)
      t.strictSame([crossed.reason, crossed.value], [exit.reason, exit.value])
      t.notOk('tookJoin' in crossed)
    }
  }
})

t.test('drops a value that cannot be sent, and adds an error unless there is one', async (t) => {
  const exit: Exit = { pid, reason: 'normal', value: { rows: [/x/] } }
  for (let i = 0; i < 2; i++) {
    t.match(cross(exit), {
      reason: 'normal',
      value: undefined,
      error: { code: 'FST_CLUSTER_INVALID_PAYLOAD', message: /RegExp at 'payload.value.rows\[0\]'/ }
    })
  }
  t.match(cross({ pid, reason: 'error', value: () => {}, error: new Error('why') }), {
    reason: 'error',
    error: { message: 'why', code: undefined }
  })
  t.strictSame(hub.logged, [
    { relayPid: pid, what: 'exit', type: 'RegExp', path: 'payload.value.rows[0]' },
    { relayPid: pid, what: 'exit', type: 'a function', path: 'payload.value' }
  ], 'once for each exit')
})

t.test('refuses a value of maximum depth, because the exit adds a level', async (t) => {
  let value: unknown = 1
  for (let i = 0; i < 64; i++) value = [value]
  t.match(cross({ pid, reason: 'normal', value }), {
    reason: 'normal',
    error: { message: /more than 64 levels/ }
  })
})

t.test('sends the thrown error and its causes', async (t) => {
  const caused = cross({
    pid,
    reason: 'error',
    error: new Error('outer', { cause: new RangeError('inner') })
  })!
  t.match(caused.error, { message: 'outer', cause: { message: 'inner' } })
  t.ok(caused.error!.cause instanceof RangeError)
  const thrown = cross({ pid, reason: 'error', error: toError({ status: 404 }) })!
  t.strictSame(thrown.error!.cause, { status: 404 })
  t.notOk('cause' in cross({ pid, reason: 'error', error: toError(() => {}) })!.error!)
})

t.test('drops a value or error that is too long, and still sends the exit', async (t) => {
  const mega = 1024 * 1024
  const value = Buffer.alloc(20 * mega)
  t.match(cross({ pid, reason: 'normal', value }), {
    reason: 'normal',
    value: undefined,
    error: { message: /more than 16777216 bytes at 'payload.value'/ }
  })
  t.match(cross({ pid, reason: 'error', value, error: new Error('why') }), {
    reason: 'error',
    error: { message: 'why' }
  })
  t.strictSame(cross({ pid, reason: 'error', error: new Error('x'.repeat(40 * mega)) }), {
    pid,
    reason: 'error'
  })
  const longest = exitFields({ pid, reason: 'x', value: Buffer.alloc(16 * mega - 100) }, hub)
  t.ok(longest.body.length > 15 * mega)
  t.ok(encodeFrame({ type: frameTypes.down, ...longest }, 1).length <= maxFrameBytes)
})

t.test('returns undefined for garbage, and ignores plain data of another shape', async (t) => {
  t.equal(
    exitOf(
      frame({
        type: frameTypes.down,
        text: 'x',
        kind: payloadKinds.structured,
        body: Buffer.from([0xc1])
      }),
      pid
    ),
    undefined
  )
  for (const body of [[0xc0], [5], [0x90]]) {
    t.strictSame(
      exitOf(
        frame({
          type: frameTypes.down,
          text: 'x',
          kind: payloadKinds.structured,
          body: Buffer.from(body)
        }),
        pid
      ),
      { pid, reason: 'x' }
    )
  }
})
