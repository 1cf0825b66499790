import t from 'tap'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { Rig, look } from './look.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Process } from '../../../types/processes.js'

async function failing (self: Process<{ fail: string }>): Promise<void> {
  await self.serve({ fail: (text) => { throw new Error(text) } })
}

t.test('shows a failure, its effects and the restart, in words', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  processes.supervise({ children: [{ id: 'room', name: 'room', start: failing }] })
  const pid = processes.names.lookup('room')!
  const linked = processes.spawn(failing, { name: 'linked', link: pid })
  for (let i = 0; i < 2; i++) {
    rig.connect({ pid } as Story, new MemoryTransport(rig.clock, 50))
  }
  await rig.settle()
  processes.send(pid, 'fail', 'the ship sank')
  await rig.settle()
  const { total, matched, rows } = await look(rig, { view: 'ends' })
  t.equal(total, 3, 'the two connections are one')
  t.equal(matched, 3)
  t.match(rows.find((row) => row.pid === pid), {
    pid,
    name: 'room',
    kind: 'process',
    cause: 'failed',
    count: 1,
    together: 3,
    error: { name: 'Error', message: 'the ship sank' },
    restartedAs: processes.names.lookup('room')!,
    text: new RegExp('^process `room` .* failed .*: Error: the ship sank .* was restarted as ' +
      '.*2 connections and 1 process ended with it$')
  })
  t.match(rows.find((row) => row.pid === linked), {
    cause: 'link', because: pid, together: 0, text: /because process `room`/
  })
  t.match(rows.find(({ kind }) => kind === 'ws'), {
    cause: 'target', because: pid, count: 2, code: 1011, text: /because process `room`/
  })
})

t.test('filters ends by cause and by text', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  for (const [name, end] of [
    ['red', 'fail'], ['blue', 'fail'], ['green', 'exit'], ['white', 'custom']
  ]) {
    const pid = processes.spawn(failing, { name })
    await rig.advance(1)
    if (end === 'fail') processes.send(pid, 'fail', 'x')
    else processes.exit(pid, end === 'exit' ? undefined : 'had enough')
    await rig.advance(1)
  }
  const names = async (request: object): Promise<string> => {
    const { rows, matched } = await look(rig, { view: 'ends', ...request })
    return `${matched}: ${rows.map(({ name }) => name).join()}`
  }
  t.equal(await names({}), '4: white,green,blue,red')
  t.equal(await names({ cause: 'failed' }), '2: blue,red')
  t.equal(await names({ cause: 'failed', limit: 1 }), '2: blue')
  t.equal(await names({ filter: 'ENOUGH' }), '1: white')
  t.equal(await names({ filter: 'red' }), '1: red')
  const { recent } = await look(rig, { view: 'overview' })
  t.equal(recent.map(({ name }) => name).join(), 'white,blue,red', 'an orderly end is no news')
})

t.test('follows a chain of causes of any length', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  let last = processes.spawn(failing, { name: 'first' })
  for (let i = 0; i < 14; i++) last = processes.spawn(failing, { link: last })
  processes.send('first', 'fail', 'x')
  await rig.advance(1)
  const { rows } = await look(rig, { view: 'ends' })
  t.equal(rows.length, 15)
  t.ok(rows.every(({ text }) => text.length < 2000))
})
