// The process of the server under test. The phases request its stages.
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import { Registration } from '../../../lib/registration/registration.js'
import { answer } from '../rig/methods.js'
import { Problems } from '../rig/problems.js'
import { until } from '../rig/until.js'
import { Gate } from './gate.js'
import { Keepers, type KeepersOptions } from './keepers.js'
import { Movers } from './movers.js'
import { Room } from './room.js'
import { heap, instances, snapshot, type Instances, type Snapshot } from './snapshot.js'
import type { AddressInfo } from 'node:net'
import type { FastifyReply } from 'fastify'
import type { Stage, Tally } from './stage.js'

/** The lowest level of recorded log lines. */
const warn = 40

const uncaught = new Problems()
process.on('uncaughtException', (err) => { uncaught.add(err.stack ?? String(err)) })

const lines: Record<string, number> = {}
const stream = {
  write (line: string): void {
    const { level, msg } = JSON.parse(line) as { level: number, msg: string }
    if (level >= warn) lines[msg] = (lines[msg] ?? 0) + 1
  }
}

const app = Fastify({ logger: { level: 'warn', stream } })
await app.register(wsRelay, {
  pingInterval: '5s',
  pongTimeout: '10s',
  closeTimeout: '2s',
  maxBufferedAmount: 2 ** 20
})
const { relay } = Registration.of(app)!
const { processes } = app
const stages: Record<string, Stage> = {}

interface Visit { Params: { stage: string }, Querystring: { client: string } }

function enter (
  { stage: name }: Visit['Params'],
  { client }: Visit['Querystring'],
  reply: FastifyReply
): void {
  const stage = stages[name]
  const number = Number(client)
  reply.relay(stage.targetFor(number), { ...stage.relay, metadata: { client: number } }).send()
}

app.get<Visit>('/:stage', ({ params, query }, reply) => { enter(params, query, reply) })
app.get<Visit>(
  '/dropping/:stage',
  { config: { wsRelay: { overflow: 'drop' } } },
  ({ params, query }, reply) => {
    enter(params, query, reply)
  }
)

/** Ends all processes. They are the targets of the stages, and none outlives its phase. */
async function endStage (): Promise<void> {
  const pids = processes.list().filter((pid) => processes.info(pid)?.kind === 'process')
  for (const pid of pids) processes.cancel(pid)
  await Promise.all(pids.map((pid) => processes.exited(pid)))
  for (const name of Object.keys(stages)) Reflect.deleteProperty(stages, name)
}

const settled = (now: Snapshot, before: Snapshot): boolean =>
  Object.entries(before).every(([name, count]) => now[name as keyof Snapshot]! <= count)

const methods = {
  port (): number {
    return (app.server.address() as AddressInfo).port
  },
  keep (name: string, options: KeepersOptions): void {
    stages[name] = new Keepers(processes, options)
  },
  async move (name: string): Promise<void> {
    const movers = (stages[name] = new Movers(processes))
    await until(() => movers.targetIsGone)
  },
  gather (name: string): void {
    stages[name] = new Room(processes)
  },
  hold (name: string): void {
    stages[name] = new Gate(processes)
  },
  tally (name: string): Tally {
    return stages[name].tally
  },
  /** Resolves when as many clients have come and gone, or after a timeout. */
  async tallied (
    name: string,
    expected: Partial<Pick<Tally, 'joins' | 'leaves' | 'exits' | 'messages'>>
  ): Promise<Tally> {
    const { tally } = stages[name]
    await until(() =>
      Object.entries(expected).every(([what, count]) => tally[what as 'joins'] >= count)
    )
    return tally
  },
  /** Resolves when each connected client has had `count` heartbeats, or after a timeout. */
  async beaten (name: string, beats: number, patience: number): Promise<number> {
    const keepers = stages[name] as Keepers
    await until(() => keepers.leastBeats >= beats, patience)
    return keepers.leastBeats
  },
  judge (name: string): { inSequence: number, refused: number } {
    const movers = stages[name] as Movers
    return { inSequence: movers.judge(), refused: movers.refused }
  },
  async tell (name: string, count: number): Promise<void> {
    await (stages[name] as Room).tell(count)
  },
  dropped (name: string): Record<string, number> {
    return (stages[name] as Room).dropped()
  },
  async full (name: string): Promise<{ paused: number, mailbox: number }> {
    return await (stages[name] as Gate).full()
  },
  release (name: string): void {
    ;(stages[name] as Gate).release()
  },
  snapshot (): Snapshot {
    return snapshot(relay)
  },
  instances (): Instances {
    return instances()
  },
  heap (): number {
    return heap()
  },
  /** Ends the stages. Resolves when all their resources are freed, or after a timeout. */
  async settle (before: Snapshot): Promise<Snapshot> {
    await endStage()
    await until(() => settled(snapshot(relay), before))
    return snapshot(relay)
  },
  /** Warnings and errors in the log by text, and uncaught errors. */
  complaints (): { lines: Record<string, number>, problems: Problems } {
    return { lines, problems: uncaught }
  },
  /** Closes the application, as a deployment does. @returns milliseconds */
  async shut (): Promise<number> {
    const started = performance.now()
    await app.close()
    return performance.now() - started
  },
  /** Closes the channel to the parent. This process then ends by itself unless a handle is left. */
  leave (): void {
    process.off('disconnect', orphaned)
    setImmediate(() => {
      process.disconnect()
    })
  }
}

export type ServerMethods = typeof methods

const orphaned = (): void => { process.exit() }
process.on('disconnect', orphaned)
await app.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
answer(methods)
