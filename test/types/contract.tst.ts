import { expect, test } from 'tstyche'
import Fastify from 'fastify'
import wsRelay, { type Pid } from '../../lib/index.js'
import { createProcesses } from '../../lib/process/index.js'
import type { Duration, Monitor } from '../../types/pid.js'
import type {
  Cluster,
  Exit,
  ProcessInfo,
  ProcessStats,
  ProcessSystem,
  SpawnOptions,
  Supervisor,
  SystemHealth,
  Timer
} from '../../lib/process/index.js'
import type { Process, Processes, Sending } from '../../types/processes.js'

declare const processes: Processes
declare const self: Process

test('the lobby of the README compiles as it is written', async () => {
  const app = Fastify({ logger: true })
  await app.register(wsRelay, { allowedOrigins: 'https://app.example.com, https://*.example.org' })

  const lobby = app.processes.spawn<{ notice: { text: string } }>(async function lobby (self) {
    const clients = new Set<Pid>()
    for await (const { topic, payload } of self.inbox) {
      if (topic === 'ws.join') clients.add(payload.client_pid)
      if (topic === 'ws.leave') clients.delete(payload.client_pid)
      if (topic === 'ws.message') {
        for (const pid of clients) self.send(pid, 'ws.send', { type: 'text', data: payload.data })
      }
    }
  })

  app.get<{ Querystring: { user_id: string } }>('/ws', (request, reply) => {
    reply.header('X-WS-Relay', JSON.stringify({
      target_pid: lobby, heartbeat_interval: '30s', metadata: { user_id: request.query.user_id }
    }))
    reply.send()
  })

  app.post<{ Body: { text: string } }>('/notify', (request) => ({
    accepted: app.processes.send(lobby, 'notice', request.body)
  }))
})

test('the room of the README compiles as it is written', () => {
  const app = { processes }
  const room = app.processes.spawn(async function room (self, title: string) {
    const clients = new Set<Pid>()
    await self.serve({
      'ws.join': ({ client_pid }) => {
        clients.add(client_pid)
      },
      'ws.message': ({ data }) => {
        for (const pid of clients) self.send(pid, 'ws.send', { type: 'text', data })
      },
      'ws.leave': ({ client_pid }) => {
        clients.delete(client_pid)
        if (clients.size === 0) self.stop()
      }
    })
  }, { name: 'room:lobby', args: ['Lobby'] })
  expect(room).type.toBe<Pid>()
})

test('the arguments of a body are those that spawn is given', () => {
  const body = (_self: Process, title: string, size: number): void => {
    expect([title, size]).type.toBeAssignableTo<unknown[]>()
  }
  expect(processes.spawn).type.toBeCallableWith(body, { args: ['Lobby', 5] })
  expect(processes.spawn).type.not.toBeCallableWith(body, { args: ['Lobby', 'five'] })
  expect(processes.spawn).type.not.toBeCallableWith(body, { args: ['Lobby'] })
  expect(processes.spawn).type.not.toBeCallableWith('body')
  expect<SpawnOptions>().type.toBeAssignableFrom<{
    name: string
    link: Pid
    monitor: Pid
    mailboxLimit: number
    trapLinks: boolean
  }>()
})

test('what the functions of a system return', () => {
  expect(createProcesses()).type.toBe<ProcessSystem>()
  expect(createProcesses().close()).type.toBe<Promise<void>>()
  expect(processes.send('name', 'topic')).type.toBe<boolean>()
  expect(
    processes.call('name', 'topic', 1, { timeout: '5s', signal: AbortSignal.abort() })
  ).type.toBe<Promise<unknown>>()
  expect(processes.exit('name')).type.toBe<boolean>()
  expect(processes.cancel('name', 'reason')).type.toBe<boolean>()
  expect(processes.alive('name')).type.toBe<boolean>()
  expect(processes.info('name')).type.toBe<ProcessInfo | undefined>()
  expect(processes.list()).type.toBe<Pid[]>()
  expect(processes.exited('name')).type.toBe<Promise<Exit>>()
  expect(processes.stats()).type.toBe<ProcessStats>()
  expect(processes.health()).type.toBe<SystemHealth>()
  expect(processes.drain({ over: '30s', delay: 5000 })).type.toBe<Promise<void>>()
  expect(processes.drain).type.not.toBeCallableWith({ after: '5s' })
  expect(
    processes.supervise({
      children: [{ id: 'a', start: async (_self: Process, _title: string) => {}, args: ['Lobby'] }]
    })
  ).type.toBe<Supervisor>()
})

test('what the functions of a process return', () => {
  expect(self.monitor('name')).type.toBe<Monitor>()
  expect(self.demonitor).type.not.toBeCallableWith(5)
  expect(self.sendAfter('1s' satisfies Duration, 'name', 'topic')).type.toBe<Timer>()
  expect(self.sendEvery(500, 'name', 'topic', {})).type.toBe<Timer>()
  expect(self.node).type.toBe<string>()
  expect(self.cluster).type.toBe<Cluster | undefined>()
  expect(self.alive('name')).type.toBe<boolean>()
  expect(self.info('name')).type.toBe<ProcessInfo | undefined>()
  expect(self.list()).type.toBe<Pid[]>()
  expect(self.exited('name', { signal: AbortSignal.abort() })).type.toBe<Promise<Exit>>()
  expect(self.exited).type.not.toBeCallableWith('name', { timeout: '5s' })
  expect<Sending>().type.toBeAssignableFrom<Process>()
  expect<Sending>().type.toBeAssignableFrom<Processes>()
  expect(self).type.not.toHaveProperty('stats')
  expect(self).type.not.toHaveProperty('drain')
  expect(self).type.not.toHaveProperty('close')
  expect(self.stop).type.toBeCallableWith('reason')
  expect(self.stop()).type.toBe<never>()
})

test('options that do not exist do not compile', () => {
  expect(createProcesses).type.not.toBeCallableWith({ nodes: 'a' })
  expect(processes.supervise).type.not.toBeCallableWith({ strategy: 'one' })
  expect(processes.exit).type.not.toBeCallableWith(42)
})
