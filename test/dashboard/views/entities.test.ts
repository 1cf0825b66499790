import t from 'tap'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { Rig, look } from './look.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Processes } from '../../../types/processes.js'
import type { Pid } from '../../../types/pid.js'

/** A process that takes no mail. */
async function idle (): Promise<void> {
  await new Promise(() => {})
}

async function waiter (self: { serve (handlers: {}): Promise<void> }): Promise<void> {
  await self.serve({})
}

/** Three processes with names and mail. */
function spawnThree (processes: Processes): Pid[] {
  return [['room:b', 2], ['room:a', 5], ['lobby', 0]].map(([name, mails]) => {
    const pid = processes.spawn(idle, { name: name as string })
    for (let i = 0; i < Number(mails); i++) processes.send(pid, 'mail', i)
    return pid
  })
}

t.test('shows processes, the newest first', async (t) => {
  const rig = new Rig()
  const pids = spawnThree(rig.processes)
  const { total, matched, rows } = await look(rig, { view: 'processes', limit: 3 })
  t.equal(total, rig.processes.stats().aliveBy.process)
  t.equal(matched, total)
  t.strictSame(rows.map(({ pid }) => pid), [...pids].reverse())
  const { uptime, ...row } = rows[1]
  t.type(uptime, 'number')
  t.strictSame(row, {
    pid: pids[1],
    kind: 'process',
    label: 'idle',
    name: 'room:a',
    moreNames: 0,
    status: 'running',
    mailbox: 5
  })
})

t.test('sorts processes by each column, up and down', async (t) => {
  const rig = new Rig()
  spawnThree(rig.processes)
  const unnamed = rig.processes.spawn(waiter)
  rig.processes.supervise({ name: 'top' })
  await rig.settle()
  const titles = async (sort: string): Promise<string[]> => {
    const { rows } = await look(rig, { view: 'processes', sort })
    return rows.map(({ name, pid, label }) => pid === unnamed ? 'waiter' : name ?? label)
  }
  const started = ['room:b', 'room:a', 'lobby', 'waiter', 'top']
  t.strictSame(await titles('started'), started)
  t.strictSame(await titles('-started'), [...started].reverse())
  t.strictSame(await titles('name'), ['waiter', 'lobby', 'room:a', 'room:b', 'top'])
  t.strictSame(await titles('-name'), ['top', 'room:b', 'room:a', 'lobby', 'waiter'])
  t.strictSame((await titles('-mailbox')).slice(0, 2), ['room:a', 'room:b'])
  t.strictSame((await titles('mailbox')).slice(-2), ['room:b', 'room:a'])
  t.strictSame(await titles('label'), ['lobby', 'room:a', 'room:b', 'top', 'waiter'])
  t.equal((await titles('-kind'))[0], 'top')
  t.strictSame((await titles('-status')).slice(-3), ['lobby', 'room:a', 'room:b'])
})

t.test('filters processes by label, name and PID, whatever the case', async (t) => {
  const rig = new Rig()
  const [first] = spawnThree(rig.processes)
  rig.processes.names.register('second name', first)
  for (const [filter, names] of [
    ['ROOM:', ['room:a', 'room:b']], ['idle', ['lobby', 'room:a', 'room:b']],
    ['Second', ['room:b']], [first, ['room:b']], ['nobody', []]
  ] as const) {
    const { matched, rows, total } = await look(rig, { view: 'processes', filter })
    t.strictSame(rows.map(({ name }) => name), names, filter)
    t.equal(matched, names.length)
    t.ok(total >= 3)
  }
  const { rows: [row] } = await look(rig, { view: 'processes', filter: 'room:b' })
  t.match(row, { name: 'room:b', moreNames: 1 })
})

/** A connection in memory whose client has sent some messages. */
function connect (rig: Rig, target: Pid, messages: number) {
  const transport = new MemoryTransport(rig.clock, 50)
  const connection = rig.connect({ pid: target } as Story, transport, {
    metadata: { secret: 'of the handler' }
  })
  for (let i = 0; i < messages; i++) transport.send('a text of the client')
  return { connection, transport }
}

t.test('shows connections, sorted and filtered, without metadata and texts', async (t) => {
  const rig = new Rig({ mailboxLimit: 100 })
  const { processes } = rig
  const rooms = ['room:a', 'room:b'].map((name) => processes.spawn(waiter, { name }))
  connect(rig, rooms[0], 1)
  const second = connect(rig, rooms[1], 3)
  connect(rig, rooms[0], 2)
  await rig.settle()
  processes.names.register('the second', second.connection.pid)
  second.transport.stall()
  processes.send(second.connection.pid, 'ws.send', { data: 'abc' })
  second.transport.pause()
  const seen = async (request: object): Promise<string> => {
    const { rows } = await look(rig, { view: 'connections', ...request })
    t.notMatch(JSON.stringify(rows), /secret|handler|text/)
    return rows.map(({ messages }) => messages).join()
  }
  t.equal(await seen({}), '2,3,1')
  t.equal(await seen({ sort: 'messages' }), '1,2,3')
  t.equal(await seen({ sort: '-messages' }), '3,2,1')
  t.equal(await seen({ sort: 'target' }), '2,1,3')
  t.equal(await seen({ sort: '-name' }), '3,2,1')
  t.equal(await seen({ sort: '-state' }), '3,2,1')
  t.equal(await seen({ sort: '-buffered' }), '3,2,1')
  t.equal(await seen({ sort: '-dropped' }), '2,3,1')
  t.equal(await seen({ filter: 'ROOM:A' }), '2,1')
  t.equal(await seen({ filter: 'the second' }), '3')
  t.equal(await seen({ filter: 'open', limit: 1 }), '2')
  const { rows: [{ uptime, ...row }], ...counts } = await look(rig, {
    view: 'connections', filter: 'the second'
  })
  t.match(counts, { total: 3, matched: 1 })
  t.strictSame(row, {
    pid: second.connection.pid,
    name: 'the second',
    state: 'paused',
    target: { pid: rooms[1], label: 'waiter', name: 'room:b' },
    messages: 3,
    buffered: 4,
    dropped: 0
  })
})

t.test('shows that a client is over its limit', async (t) => {
  const rig = new Rig()
  const transport = new MemoryTransport(rig.clock, 50)
  const target = { pid: rig.processes.spawn(waiter) } as Story
  rig.connect(target, transport, { limit: { messages: '1/m' } })
  transport.send('one')
  await rig.settle()
  transport.send('two')
  await rig.settle()
  const { rows } = await look(rig, { view: 'connections', filter: 'limited' })
  t.match(rows, [{ state: 'limited' }])
})

t.test('shows a connection as parked when its client is over its limit, too', async (t) => {
  const rig = new Rig()
  const pid = rig.processes.spawn(waiter, { name: 'room' })
  const transport = new MemoryTransport(rig.clock, 50)
  rig.connect({ pid } as Story, transport, {
    target_pid: 'room', on_target_exit: 'park', limit: { messages: '1/m' }
  })
  transport.send('one')
  await rig.settle()
  rig.processes.exit(pid, 'boom')
  await rig.settle()
  const client = rig.processes.list().find((one) => rig.processes.info(one)?.kind === 'ws')!
  t.match(rig.processes.info(client), { limited: true })
  t.match((await look(rig, { view: 'connections' })).rows, [{ state: 'parked' }])
})

t.test('shows whether a connection is parked, or its client away', async (t) => {
  const rig = new Rig()
  const room = rig.processes.spawn(waiter, { name: 'room' })
  const parked = new MemoryTransport(rig.clock, 50)
  rig.connect({ pid: room } as Story, parked, { target_pid: 'room', on_target_exit: 'park' })
  const other = rig.processes.spawn(waiter)
  const { transport } = connect(rig, other, 0)
  // A session has it while its client is away.
  Object.assign(transport, { away: 5 })
  rig.processes.exit(room, 'boom')
  await rig.settle()
  const { rows } = await look(rig, { view: 'connections' })
  t.match(rows, [{ state: 'suspended' }, { state: 'parked', target: { pid: room } }])
  t.strictSame(rows[1].target, { pid: room }, 'it has no label any more')
  const sorted = await look(rig, { view: 'connections', sort: 'target' })
  t.match(sorted.rows, [{ target: { pid: room } }, { target: { pid: other } }])
})
