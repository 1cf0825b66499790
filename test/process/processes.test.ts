import t from 'tap'
import { build, settle } from './helpers.js'
import type { Process } from '../../types/processes.js'

/** All numbers in an object, however deep. */
function numbersIn (value: unknown): number[] {
  if (typeof value === 'number') return [value]
  return Object.values(value as object).flatMap(numbersIn)
}

t.test('lists live processes, oldest first', async (t) => {
  const processes = build(t)
  const body = (self: Process): Promise<unknown> => self.receive()
  const pids = [processes.spawn(body), processes.spawn(body), processes.spawn(body)]
  processes.exit(pids[1])
  t.strictSame(processes.list(), [pids[0], pids[2]])
  t.equal(processes.node, 'local')
})

t.test('has frozen functions that need no `this`', async (t) => {
  const processes = build(t)
  const { spawn, send, alive } = processes
  const pid = spawn((self) => self.receive())
  t.ok(alive(pid))
  t.ok(send(pid, 'x'))
  t.throws(() => { (processes as { send: unknown }).send = () => true })
})

t.test('counts spawns, exits, messages and dead letters in stats', async (t) => {
  const processes = build(t)
  const pid = processes.spawn((self) => self.serve({}, () => {}), { mailboxLimit: 2 })
  processes.spawn(() => { throw new Error('broken') })
  for (let i = 0; i < 3; i++) processes.send(pid, 'x')
  processes.send('nobody', 'x')
  await settle()
  processes.send(pid, 'x')
  processes.exit(pid, 'kill')
  const { longestTurn, turns, connections, upgrades, ...counts } = processes.stats()
  t.strictSame(counts, {
    alive: 0,
    aliveBy: { process: 0, supervisor: 0, ws: 0 },
    spawned: 2,
    exited: { error: 1, killed: 1 },
    restarts: 0,
    giveUps: 0,
    sent: 3,
    delivered: 2,
    deadLetters: 2,
    deadLettersBy: { none: 1, unhandled: 0, ended: 1 },
    refused: 1,
    refusedBy: { ...counts.refusedBy, full: 1 },
    invalid: 0,
    keyed: {}
  })
  const server = [connections, upgrades].flatMap(numbersIn)
  t.ok(server.length > 0)
  t.ok(server.every((number) => number === 0), 'there is no server')
  t.ok(longestTurn > 0)
})
