import t from 'tap'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { Rig, look, nextOf, openedView } from './look.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Process } from '../../../types/processes.js'

const secret = 'a text that nobody may see'

async function echo (self: Process<{ ask: string, fail: string }>): Promise<void> {
  await self.serve({
    'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) },
    fail: (text) => { throw new TypeError(text) }
  })
}

t.test('shows the events of one process live, without payloads', async (t) => {
  const rig = new Rig({ mailboxLimit: 2 })
  const { processes } = rig
  const pid = processes.spawn(echo, { name: 'echo', mailboxLimit: 1 })
  await rig.settle()
  const ofEcho = openedView(rig, { view: 'trace', pid: 'echo', limit: 500 })
  t.strictSame(await nextOf(rig, ofEcho), { pid: 'echo', events: [], dropped: 0, ended: false })
  const transport = new MemoryTransport(rig.clock, 50)
  const client = rig.connect({ pid } as unknown as Story, transport, { metadata: { secret } })
  const ofClient = openedView(rig, { view: 'trace', pid: client.pid, limit: 500 })
  await rig.settle()
  transport.send(secret)
  await rig.settle()
  for (let i = 0; i < 2; i++) processes.send(pid, 'ask', secret)
  await rig.settle()
  processes.send(pid, 'fail', 'sank')
  await rig.settle()
  const { events, ...answer } = await nextOf<'trace'>(rig, ofEcho)
  t.strictSame(answer, { pid, dropped: 0, ended: true })
  t.notMatch(JSON.stringify(events), /nobody/)
  const from = { pid: client.pid, label: 'ws' }
  t.match(events, [
    { type: 'received', topic: 'ws.join', from, mailbox: 1 },
    { type: 'taken', topic: 'ws.join', from },
    { type: 'received', topic: 'ws.message', from, mailbox: 1 },
    { type: 'taken', topic: 'ws.message', from },
    { type: 'sent', topic: 'ws.send', to: from, accepted: true },
    { type: 'received', topic: 'ask' },
    { type: 'refused', topic: 'ask' },
    { type: 'taken', topic: 'ask' },
    { type: 'received', topic: 'fail' },
    { type: 'taken', topic: 'fail' },
    { type: 'ended', reason: 'error', error: { name: 'TypeError', message: 'sank' } }
  ])
  t.type(events[1].waited, 'number')
  t.match((await nextOf<'trace'>(rig, ofClient)).events, [
    { type: 'client', bytes: secret.length, binary: false },
    { type: 'received', topic: 'ws.send', from: { label: 'echo', name: 'echo' } },
    { type: 'ended', reason: 'target_down' }
  ])
})

t.test('drops the events above its limit, but not the end', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const pid = processes.spawn(echo, { name: 'echo' })
  await rig.settle()
  const view = openedView(rig, { view: 'trace', pid, limit: 3 })
  for (let i = 0; i < 4; i++) processes.send(pid, 'ask', secret)
  await rig.settle()
  const first = await nextOf<'trace'>(rig, view)
  t.equal(first.events.length, 3)
  t.equal(first.dropped, 5)
  processes.send(pid, 'ask', secret)
  processes.exit(pid)
  const { events, ended } = await nextOf<'trace'>(rig, view)
  t.match(events, [{ type: 'received' }, { type: 'ended', reason: 'shutdown' }])
  t.equal(ended, true)
})

t.test('stops after a hundred thousand events', async (t) => {
  const rig = new Rig()
  const pid = rig.processes.spawn(async () => { await new Promise(() => {}) }, { mailboxLimit: 1 })
  const view = openedView(rig, { view: 'trace', pid, limit: 1 })
  for (let i = 1; i < 100_000; i++) rig.processes.send(pid, 'ask')
  t.match(await nextOf(rig, view), { dropped: 99_998, ended: false })
  rig.processes.send(pid, 'ask')
  t.match(await nextOf(rig, view), { events: [{ type: 'refused' }], ended: true })
  rig.processes.send(pid, 'ask')
  t.match(await nextOf(rig, view), { events: [], ended: true })
})

t.test('leaves no trace when it is closed', async (t) => {
  const rig = new Rig()
  const pid = rig.processes.spawn(echo)
  const { deliver } = rig.runtime.processTable.getEntity(pid)!
  await look(rig, { view: 'trace', pid })
  t.equal(rig.runtime.processTable.getEntity(pid)!.deliver, deliver)
})

t.test('refuses to trace what is not alive', async (t) => {
  t.throws(() => { openedView(new Rig(), { view: 'trace', pid: 'nobody' }) }, {
    code: 'FST_PROCESS_NOT_ALIVE'
  })
})
