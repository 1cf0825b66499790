// A room with many clients that crashes under a supervisor, on transports in memory.
import t from 'tap'
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { MemoryTransport } from '../transports/memory-transport.js'
import { Rig } from '../transports/clients.js'
import type { Target } from '../../../lib/process/entity.js'
import type { AnyMessage } from '../../process/helpers.js'

const clients = 1000

interface Incarnation { readonly joins: object[], readonly texts: Map<string, string[]> }

t.test('closes no client and joins each once when a supervised room crashes', async (t) => {
  const rig = new Rig({ mailboxLimit: 10_000 })
  const rooms: Incarnation[] = []
  rig.processes.supervise({
    children: [{
      id: 'room',
      name: 'room',
      start: function room (self) {
        const here: Incarnation = { joins: [], texts: new Map() }
        rooms.push(here)
        return self.serve({}, ({ topic, payload, from }: AnyMessage) => {
          const { data } = payload as { data?: string }
          if (data === 'crash') throw new Error('boom')
          if (topic as string === 'ws.join') here.joins.push(payload as object)
          else here.texts.set(from!, [...here.texts.get(from!) ?? [], data!])
        })
      }
    }]
  })
  await rig.settle()
  const parsed = parseConfig(
    { target_pid: 'room', on_target_exit: 'park', park: '1s' }, rig.settings
  )
  if (!parsed.ok) throw new Error(parsed.problem)
  const target = rig.runtime.processTable.findEntity('room') as Target
  const all = Array.from({ length: clients }, () => {
    const transport = new MemoryTransport(rig.clock, 50)
    const connection = new Connection({
      relay: rig.relay, transport, settings: rig.settings, target, config: parsed.value
    })
    connection.open()
    return { transport, connection }
  })
  await rig.advance(0)
  const { deadLetters } = rig.processes.stats()
  all[0].transport.send('crash')
  for (const { transport } of all) transport.send('dead')
  for (let i = 0; i < 300 && rooms.length < 2; i++) await rig.settle()
  for (const { transport } of all) for (const text of ['one', 'two']) transport.send(text)
  for (let i = 0; i < 300; i++) await rig.settle()
  t.equal(rig.relay.counters.open, clients, 'no socket was closed')
  t.equal(rooms.length, 2)
  t.equal(rooms[1].joins.length, clients)
  t.ok(rooms[1].joins.every((join) => 'rejoined' in join))
  let lost = 0
  for (const { connection: { pid } } of all) {
    const texts = rooms.flatMap((room) => room.texts.get(pid) ?? [])
    lost += 3 - texts.length
    t.ok(['dead,one,two', 'one,two'].includes(texts.join()), texts.join())
  }
  t.equal(rig.processes.stats().deadLetters - deadLetters, lost, 'the others are dead letters')
  t.equal(rig.relay.counters.parked, 0)
})
