// `npm run bench:jitter` with few clients, and ours alone: it needs no package to compare with.
import t from 'tap'
import { JitterCutter } from '../../bench/jitter/cutter.js'
import { addressOf, options, serve, watched } from '../../bench/jitter/ours.js'
import { Tally } from '../../bench/jitter/tally.js'
import { run } from '../../bench/jitter/traffic.js'
import { createClient } from '../../lib/client/client.js'
import { patient } from '../client/fixtures/patient.js'
import { until } from '../helpers.js'

t.test('counts what is lost, doubled and out of order', (t) => {
  const tally = new Tally(2, 3)
  for (const number of [1, 3, 2, 3]) tally.note(0, number)
  tally.note(1, 1)
  t.same(tally.report, { expected: 6, delivered: 4, doubled: 1, disordered: 1 })
  t.notOk(tally.isComplete)
  tally.note(1, 2)
  tally.note(1, 3)
  t.ok(tally.isComplete)
  t.throws(() => { tally.note(1, 4) }, RangeError)
  t.end()
})

t.test('delivers all, each once and in order, when clients are cut off', async (t) => {
  const pace = { clients: 50, count: 120, duration: 10_000 }
  const up = new Tally(pace.clients, pace.count)
  const down = new Tally(pace.clients, pace.count)
  // So long that no pause of the machine ends a session.
  const server = await serve((id, text) => { up.note(id, Number(text)) }, { window: '1h' })
  t.teardown(() => server.close())
  // No client waits until it finds out by itself: that takes 35 s.
  const cutter = await JitterCutter.start({
    clients: pace.clients,
    target: server.port,
    pause: [500, 2500],
    outage: [50, 500],
    silence: 300
  })
  t.teardown(() => { cutter.close() })
  const open = new Set<number>()
  let resets = 0
  const clients = Array.from({ length: pace.clients }, (_, id) => {
    const socket = createClient(patient, addressOf(cutter.port, id), {
      ...options, backoff: { min: 20, max: 500 }
    })
    t.teardown(() => { socket.close() })
    return watched(socket, {
      opened: () => { open.add(id) },
      received: (text) => { down.note(id, Number(text)) },
      reset: () => { resets++ }
    })
  })
  await until(() => open.size === pace.clients)
  t.teardown(run(pace, (id, n) => { clients[id].send(String(n)) }))
  t.teardown(run(pace, (id, n) => { server.send(id, String(n)) }))
  cutter.begin()
  await until(() => up.isComplete && down.isComplete && Object.values(cutter.cuts).every(Boolean))
  const expected = pace.clients * pace.count
  const all = { expected, delivered: expected, doubled: 0, disordered: 0 }
  t.same(up.report, all, 'to the server')
  t.same(down.report, all, 'to the clients')
  t.equal(resets, 0)
  t.comment(cutter.cuts)
})
