import { createTraceState } from '@opentelemetry/api'
import t from 'tap'
import { formatTraceparent, parseTraceparent } from '../../lib/otel/traceparent.js'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const parent = `00-${traceId}-${spanId}`

t.test('writes and reads the context of a span', async (t) => {
  const context = { traceId, spanId, traceFlags: 1 }
  t.equal(formatTraceparent(context), `${parent}-01`)
  t.strictSame(parseTraceparent(`${parent}-01`, true), { ...context, isRemote: true })
  t.equal(formatTraceparent({ ...context, traceFlags: 0x10 }), `${parent}-00`)
  const traceState = createTraceState('a=1,b=2')
  t.equal(formatTraceparent({ ...context, traceState }), `${parent}-01 a=1,b=2`)
  t.equal(parseTraceparent(`${parent}-01 a=1,b=2`, false)!.traceState!.get('b'), '2')
})

t.test('leaves a state out that is empty or long', async (t) => {
  const context = { traceId, spanId, traceFlags: 1 }
  t.equal(formatTraceparent({ ...context, traceState: createTraceState('') }), `${parent}-01`)
  const long = { serialize: () => `a=${'x'.repeat(600)}` } as never
  t.equal(formatTraceparent({ ...context, traceState: long }), `${parent}-01`)
})

t.test('takes nothing else', async (t) => {
  t.equal(formatTraceparent(undefined), undefined)
  t.equal(formatTraceparent({ traceId: '0'.repeat(32), spanId, traceFlags: 1 }), undefined)
  for (const text of [
    '', parent, `${parent}-1`, `${parent}-01-`, `01-${traceId}-${spanId}-01`, `${parent}-0G`,
    `00-${'0'.repeat(32)}-${spanId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`,
    `${parent.toUpperCase()}-01`
  ]) t.equal(parseTraceparent(text, true), undefined, text)
})
