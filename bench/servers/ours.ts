// The server of the bench, with a process per room. The argument chooses how the process reads its
// messages: `serve`, `loop` (for await), or `broadcast` (serve, with the clients in a group). A
// second word adds a feature:
// - `resume`: clients may resume
// - `metrics`: the metrics are read ten times a second
// - `native`: the native sender has to be in use, and io_uring if `WS_RELAY_IO_URING` asks for it
// - `keyed`: the target of the echo is a key instead of a PID
// - `protocol`: the messages are JSON that a schema checks
// - `json`: the messages are JSON that the process parses itself
// - `crowd`: 10 000 processes wait
// - `dashboard`, `watched`: the same with a dashboard that nobody or somebody watches
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import * as client from 'prom-client'
import wsRelay, { type Pid, type Process, type WsMessage } from '../../lib/index.js'
import { collect } from '../../lib/metrics/index.js'
import { protocol, type ClientMessages } from '../../lib/protocol/index.js'
import { nativeLoaded } from '../../lib/websocket/native.js'
import { listen } from './usage.js'

const [mode, feature] = process.argv[2].split(' ')

function echo (self: Process) {
  return self.serve({
    'ws.message': ({ client_pid, type, data }) => {
      self.send(client_pid, 'ws.send', { type, data })
    }
  })
}

const say = Type.Object({ text: Type.String() })
const json = protocol('bench', { client: { say }, server: { say } })

function echoChecked (self: Process<ClientMessages<typeof json>>) {
  return self.serve({
    'ws.message': ({ client_pid, topic, data }) => { self.send(client_pid, topic, data) }
  })
}

/** Parses and checks by hand, as an application does without a protocol. */
function echoParsed (self: Process) {
  return self.serve({
    'ws.message': ({ client_pid, data: message }) => {
      const { topic, data } = JSON.parse(String(message)) as Record<string, unknown>
      if (topic !== 'say' || typeof (data as { text?: unknown }).text !== 'string') return
      self.send(client_pid, topic, data)
    }
  })
}

async function echoLoop (self: Process) {
  for await (const { topic, payload } of self.inbox) {
    if (topic === 'ws.message') {
      self.send(payload.client_pid, 'ws.send', { type: payload.type, data: payload.data })
    }
  }
}

function tell (self: Process, clients: Set<Pid>, { type, data }: WsMessage) {
  const frame = { type, data }
  for (const pid of clients) self.send(pid, 'ws.send', frame)
}

function room (self: Process) {
  const clients = new Set<Pid>()
  return self.serve({
    'ws.join': ({ client_pid }) => { clients.add(client_pid) },
    'ws.message': (message) => { tell(self, clients, message) },
    'ws.leave': ({ client_pid }) => { clients.delete(client_pid) }
  })
}

async function roomLoop (self: Process) {
  const clients = new Set<Pid>()
  for await (const { topic, payload } of self.inbox) {
    if (topic === 'ws.join') clients.add(payload.client_pid)
    if (topic === 'ws.message') tell(self, clients, payload)
    if (topic === 'ws.leave') clients.delete(payload.client_pid)
  }
}

function roomGroup (self: Process) {
  const group = `room:${self.pid.split('@')[0]}`
  return self.serve({
    'ws.join': ({ client_pid }) => { self.groups.join(group, client_pid) },
    'ws.message': ({ type, data }) => { self.groups.broadcast(group, 'ws.send', { type, data }) },
    'ws.leave': () => {} // a PID that has ended is in no group
  })
}

/** A program of its own watches the two views that cost most, as a page does. */
function watch (port: number) {
  const viewer = fork(join(import.meta.dirname, 'viewer.js'), [String(port)])
  process.on('exit', () => { viewer.kill() })
}

const rooms = { serve: room, loop: roomLoop, broadcast: roomGroup }
const app = Fastify()
await app.register(wsRelay, { resume: feature === 'resume' })
const { names, spawn } = app.processes
const body = mode === 'loop' ? echoLoop : feature === 'json' ? echoParsed : echo
const echoes = feature === 'keyed'
  ? app.processes.keyed('echo', { start: body }).key('all')
  : feature === 'protocol' ? spawn(echoChecked) : spawn(body)
const config = feature === 'protocol' ? { protocol: json } : undefined

app.get('/echo', (_request, reply) => { reply.relay(echoes, config).send() })

app.get<{ Params: { id: string } }>('/room/:id', (request, reply) => {
  const name = `room:${request.params.id}`
  if (names.lookup(name) === undefined) spawn(rooms[mode as keyof typeof rooms], { name })
  reply.relay(name).send()
})

if (feature === 'metrics') {
  collect(app.processes, client)
  setInterval(() => { client.register.metrics().catch((err: unknown) => { throw err }) }, 100)
}

if (feature === 'crowd' || feature === 'dashboard' || feature === 'watched') {
  for (let i = 0; i < 10_000; i++) spawn(async (self) => { await self.serve({}) })
}
if (feature === 'dashboard' || feature === 'watched') {
  const { dashboard } = await import('../../lib/dashboard/index.js')
  await app.register(dashboard, { prefix: '/processes', unprotected: true })
}

const port = await listen(app)
if (feature === 'watched') watch(port)
const { err } = await nativeLoaded
const { nativeSender } = app.processes.stats().connections
if (feature === 'native' && (!nativeSender || err !== undefined)) {
  throw new Error('the native sender is not in use', { cause: err })
}
