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

/** A supervised room with clients that park for a second. A text `crash` makes it fail. */
async function crowd (failsInRejoin: boolean) {
  const rig = new Rig({ mailboxLimit: 10_000 })
  const rooms: Incarnation[] = []
  const supervisor = rig.processes.supervise({
    children: [{
      id: 'room',
      name: 'room',
      start: function room (self) {
        const here: Incarnation = { joins: [], texts: new Map() }
        rooms.push(here)
        return self.serve({}, ({ topic, payload, from }: AnyMessage) => {
          const { data } = payload as { data?: string }
          if (data === 'crash') throw new Error('boom')
          if (topic as string === 'ws.join') {
            here.joins.push(payload as object)
            if (failsInRejoin && rooms.length > 1) throw new Error('boom')
          } else here.texts.set(from!, [...here.texts.get(from!) ?? [], data!])
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
  while (rooms[0].joins.length < clients) await rig.settle()
  return { rig, rooms, supervisor, all }
}

t.test('closes no client and joins each once when a supervised room crashes', async (t) => {
  const { rig, rooms, all } = await crowd(false)
  const { deadLetters } = rig.processes.stats()
  all[0].transport.send('crash')
  for (const { transport } of all) transport.send('dead')
  while (rooms.length < 2) await rig.settle()
  for (const { transport } of all) for (const text of ['one', 'two']) transport.send(text)
  const hasAll = (): boolean => all.every(({ connection: { pid } }) => {
    return rooms[1].texts.get(pid)?.at(-1) === 'two'
  })
  while (!hasAll()) await rig.settle()
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

t.test('closes all clients within the time when the supervisor gives up', async (t) => {
  const { rig, rooms, supervisor, all } = await crowd(true)
  all[0].transport.send('crash')
  while (rig.processes.alive(supervisor.pid)) await rig.settle()
  t.strictSame(rooms.map(({ joins }) => joins.length), [clients, 1, 1, 1])
  t.equal(rig.relay.counters.parked, clients)
  await rig.advance(999)
  t.ok(all.every(({ transport }) => transport.seen === undefined))
  await rig.advance(51)
  t.ok(all.every(({ transport: { seen } }) => seen?.code === 1011))
  t.match(rig.relay.counters, { open: 0, parked: 0 })
  t.equal(rig.runtime.nameTable.size, 0, 'nothing waits for the name')
})
