import t from 'tap'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { Rig, look } from './look.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Process } from '../../../types/processes.js'

async function waiter (self: Process): Promise<void> {
  await self.serve({})
}

t.test('shows one process with its relations and the supervisors above it', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const supervisor = processes.supervise({
    name: 'top',
    children: [{
      id: 'shelf', start: { children: [{ id: 'room', name: 'room', start: waiter }] }
    }]
  })
  const [{ pid: shelf }] = supervisor.children()
  const room = processes.names.lookup('room')!
  const friend = processes.spawn(async function friendly (self: Process) {
    self.link(room)
    self.monitor(room)
    await self.serve({})
  }, { name: 'friend' })
  processes.groups.join('rooms', room)
  await rig.settle()
  const { pid, info, explanation } = await look(rig, { view: 'process', pid: 'room' })
  t.equal(pid, 'room')
  t.equal(explanation, undefined)
  const { uptime, ...rest } = info!
  t.type(uptime, 'number')
  t.strictSame(rest, {
    pid: room,
    kind: 'process',
    label: 'waiter',
    status: 'waiting',
    mailbox: 0,
    names: ['room'],
    groups: ['rooms'],
    links: [{ pid: friend, label: 'friendly', name: 'friend' }],
    monitors: [],
    more: { names: 0, groups: 0, links: 0, monitors: 0 },
    path: [
      { pid: supervisor.pid, label: 'top', name: 'top', child: 'shelf', restarts: 0 },
      { pid: shelf, label: 'supervisor', child: 'room', restarts: 0 }
    ]
  })
  const { info: other } = await look(rig, { view: 'process', pid: friend })
  t.match(other, { monitors: [{ pid: room, name: 'room' }], path: [] })
})

t.test('shows a connection, and the first hundred of long lists', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const room = processes.spawn(waiter)
  const { pid } = rig.connect({ pid: room } as Story, new MemoryTransport(rig.clock, 50))
  for (let i = 0; i < 101; i++) processes.groups.join(`group ${i}`, pid)
  const { info } = await look(rig, { view: 'process', pid })
  t.match(info, {
    kind: 'ws',
    connection: { state: 'open', target: { pid: room, label: 'waiter' }, buffered: 0 },
    more: { groups: 1, names: 0 }
  })
  t.equal(info!.groups.length, 100)
})

t.test('finds the supervisor of a process that very many others monitor', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const lone = processes.spawn(waiter)
  processes.spawn(async function watcher (self: Process) {
    for (let i = 0; i < 1100; i++) self.monitor(lone)
    await self.serve({})
  })
  await rig.settle()
  const { info } = await look(rig, { view: 'process', pid: lone })
  t.strictSame(info!.path, [])
})

t.test('explains a process that has ended', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  processes.supervise({
    children: [{
      id: 'room',
      name: 'room',
      start: async function failing (self: Process<{ fail: undefined }>) {
        await self.serve({ fail: () => { throw new TypeError(`bad ${'text '.repeat(100)}`) } })
      }
    }]
  })
  const pid = processes.names.lookup('room')!
  processes.send(pid, 'fail')
  await rig.settle()
  const { info, explanation } = await look(rig, { view: 'process', pid })
  t.equal(info, undefined)
  t.match(explanation, {
    state: 'ended',
    text: /^process `room` .* failed .* TypeError: bad text/,
    together: 0,
    restartedAs: processes.names.lookup('room')!,
    chain: [{ pid, cause: 'failed', label: 'failing', error: { name: 'TypeError', frame: /process/ } }]
  })
  t.equal(explanation!.chain[0].error!.message.length, 201, 'cut')
})

t.test('says nothing about a PID that was never given', async (t) => {
  const rig = new Rig()
  const { pid, info, explanation } = await look(rig, { view: 'process', pid: 'nobody' })
  t.strictSame([pid, info, explanation], ['nobody', undefined, undefined])
})
