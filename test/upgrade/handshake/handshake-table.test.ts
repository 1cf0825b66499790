// Walks each cell of the table of a handshake, on a real handshake with a socket in memory.
import { readFileSync } from 'node:fs'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Duplex } from 'node:stream'
import { join } from 'node:path'
import t from 'tap'
import { Handshake } from '../../../lib/upgrade/handshake/handshake.js'
import { transitions } from '../../../lib/upgrade/handshake/handshake-table.js'
import { responseOn } from '../../../lib/upgrade/response.js'
import { root } from '../../program.js'
import type { FastifyReply } from 'fastify'
import type { Deadline, Slot } from '../../../lib/shared/deadline-timer.js'
import type { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import type { Action, Event, State } from '../../../lib/upgrade/handshake/handshake-table.js'
import type { Test } from 'tap'

const states = Object.keys(transitions) as State[]
const rows = Object.values(transitions)
const events = [...new Set(rows.flatMap((row) => Object.keys(row)))] as Event[]

class FakeSocket extends Duplex {
  override _read (): void {}
  override _write (_chunk: Buffer, _encoding: string, done: () => void): void { done() }
}

function fakeRelay () {
  return {
    closing: false,
    options: { closeTimeout: 100, upgradeTimeout: 1000 },
    delay: undefined as number | undefined,
    deadlines: {
      schedule (deadline: Deadline, delay: number) {
        deadline.slot = {} as Slot
        relayOf.get(deadline)!.delay = delay
      },
      cancel (deadline: Deadline) { deadline.slot = undefined }
    },
    pending: new Set<object>(),
    handshakes: new Set<object>(),
    upgrades: {
      upgradeRefused () {},
      upgradeAbandoned () {}
    }
  }
}

type Relay = ReturnType<typeof fakeRelay>
const relayOf = new WeakMap<object, Relay>()

interface Walker {
  handshake: Handshake
  relay: Relay
  socket: FakeSocket
  sent: unknown[]
}

/** The calls that bring a new handshake into each state. */
const paths: Record<State, (walker: Walker, reply: FastifyReply) => void> = {
  received () {},
  authorising ({ handshake, socket }) {
    const response = new ServerResponse(handshake.request)
    response.assignSocket(socket as never)
    handshake.setResponse(response)
    handshake.startTimeout()
  },
  ordinary (walker, reply) {
    paths.authorising(walker, reply)
    walker.handshake.leaveUnchecked()
  },
  handling (walker, reply) {
    paths.authorising(walker, reply)
    walker.handshake.handlerStarts(reply)
  },
  waiting (walker, reply) {
    paths.handling(walker, reply)
    walker.handshake.raise('yielded')
  },
  asking (walker, reply) {
    paths.waiting(walker, reply)
    walker.handshake.waitForRemote(reply, { waitsFor: 'node', onRefused () {}, onClientGone () {} })
  },
  refusing (walker, reply) {
    paths.waiting(walker, reply)
    walker.handshake.serverCloses()
  },
  responding (walker, reply) {
    paths.authorising(walker, reply)
    walker.handshake.responseStarted(200)
  },
  lingering (walker, reply) {
    paths.responding(walker, reply)
    walker.handshake.raise('finished')
  },
  released (walker, reply) {
    paths.authorising(walker, reply)
    walker.handshake.complete()
  }
}

function walkTo (state: State): Walker {
  const socket = new FakeSocket()
  const request = new IncomingMessage(socket as never)
  const relay = fakeRelay()
  const sent: unknown[] = []
  const handshake = new Handshake(
    relay as unknown as UpgradeServer, request, socket, Buffer.alloc(0), false
  )
  relayOf.set(handshake, relay)
  const prototype = {
    raw: { headersSent: false },
    log: { warn () {} },
    code () { return this },
    header () { return this },
    send (payload: unknown) { sent.push(payload) }
  }
  const walker = { handshake, relay, socket, sent }
  paths[state](walker, Object.create(prototype, { sent: { value: false } }) as FastifyReply)
  return walker
}

const isRead = ({ socket }: Walker): boolean => socket.listenerCount('data') > 0
const isLimited = ({ handshake }: Walker): boolean => handshake.slot !== undefined
const isPending = ({ handshake, relay }: Walker): boolean => relay.pending.has(handshake)

/** The effect of each action on a client that has sent nothing and has no answer. */
const effects: Record<Action, (t: Test, walker: Walker) => void> = {
  watch: (t, walker) => { t.ok(isPending(walker) && isLimited(walker)) },
  limit: (t, walker) => { t.ok(isPending(walker) && isLimited(walker)) },
  pend: (t, walker) => { t.ok(isPending(walker)) },
  read: (t, walker) => { t.ok(isRead(walker)) },
  wait: (t, walker) => { t.ok(isRead(walker) && isLimited(walker)) },
  ask: (t, walker) => {
    t.ok(isRead(walker) && isLimited(walker) && walker.relay.handshakes.size === 1)
  },
  release: (t, walker) => {
    t.notOk(isRead(walker) || isLimited(walker) || isPending(walker) || walker.socket.destroyed)
  },
  drop: (t, walker) => { t.ok(isRead(walker) && !isLimited(walker)) },
  linger: (t, walker) => {
    t.ok(walker.socket.writableEnded && isRead(walker) && isPending(walker))
    t.equal(walker.relay.delay, 1000)
  },
  inspect: (t, walker) => { t.notOk(walker.socket.destroyed) },
  route: (t, walker) => { t.ok(walker.socket.destroyed, 'it has no route to be routed to') },
  answerOrLeave: (t, walker) => { t.ok(walker.socket.writableEnded, 'the refusal ends it') },
  answer: (t, walker) => { t.ok(walker.socket.writableEnded, 'the refusal ends it') },
  timeOut: (t, walker) => { t.ok(isLimited(walker)) },
  hurry: (t, walker) => { t.ok(isLimited(walker)) },
  refuseOrHurry: (t, walker) => { t.ok(isLimited(walker)) },
  limitResponse: (t, walker) => { t.equal(walker.relay.delay, 100) },
  refuse: (t, walker) => { t.ok(isLimited(walker)) },
  end: (t, walker) => { t.ok(walker.socket.destroyed && walker.handshake.request.destroyed) },
  abandon: (t, walker) => { t.ok(walker.socket.destroyed && walker.handshake.request.destroyed) },
  abort: (t, walker) => { t.ok(walker.socket.destroyed && walker.handshake.request.destroyed) },
  cut: (t, walker) => { t.ok(walker.socket.destroyed && walker.handshake.request.destroyed) },
  destroy: (t, walker) => { t.ok(walker.socket.destroyed) }
}

/** The state after an action that raises another event here. */
const raised: Partial<Record<Action, State>> = {
  end: 'released',
  answer: 'lingering',
  answerOrLeave: 'lingering',
  timeOut: 'refusing',
  refuseOrHurry: 'refusing'
}

for (const state of states) {
  for (const event of events) {
    const cell = transitions[state][event]
    const [next, action] = cell ?? [state]
    const name = cell === undefined ? 'ignores' : `becomes ${next} at`
    t.test(`${state} ${name} ${event}${action === undefined ? '' : `: ${action}`}`, async (t) => {
      const walker = walkTo(state)
      t.equal(walker.handshake.state, state)
      const before = [isRead(walker), isLimited(walker), isPending(walker)]
      if (event === 'refused' && cell !== undefined) walker.handshake.serverCloses()
      else walker.handshake.raise(event)
      await new Promise(setImmediate)
      const after = walker.handshake.state
      if (action !== undefined) effects[action](t, walker)
      else t.strictSame([isRead(walker), isLimited(walker), isPending(walker)], before)
      const expected = action === undefined ? next : raised[action] ?? next
      // The close of a destroyed socket is an event of its own.
      t.equal(after, walker.socket.destroyed ? 'released' : expected)
    })
  }
}

t.test('finds a FIN after unread bytes when the socket is checked', async (t) => {
  const { handshake, socket } = walkTo('received')
  socket.push('early')
  socket.push(null)
  handshake.checkSocket()
  t.equal(handshake.state, 'released')
})

t.test('leaves the FIN to another owner that reads the socket', async (t) => {
  const { handshake, socket } = walkTo('received')
  socket.on('data', () => {})
  handshake.onSocketEnd()
  t.equal(handshake.state, 'received')
  handshake.checkSocket()
  t.equal(handshake.state, 'released')
  t.notOk(socket.destroyed)
})

t.test('does not refuse a response that has started when its deadline passes', async (t) => {
  const { handshake, socket } = walkTo('ordinary')
  responseOn(socket)!.writeHead(200).flushHeaders()
  handshake.due(0)
  t.equal(handshake.state, 'responding')
  t.notOk(socket.writableEnded)
})

t.test('the comment at the top of the file has the same cells', async (t) => {
  const text = readFileSync(join(root, 'lib/upgrade/handshake/handshake-table.ts'), 'utf8')
  const cells: Record<string, Record<string, string>> = {}
  let columns: string[] = []
  for (const line of text.split('\n').filter((line) => line.startsWith(' * |'))) {
    const [first, ...fields] = line.split('|').slice(1, -1).map((field) => field.trim())
    if (first === 'event') columns = fields
    else if (!first.startsWith('-')) {
      fields.forEach((field, i) => {
        if (field !== '') (cells[columns[i]] ??= {})[first] = field
      })
    }
  }
  const expected = Object.fromEntries(states.filter((state) => state !== 'released').map(
    (state) => [state, Object.fromEntries(Object.entries(transitions[state]).map(
      ([event, [next, action]]) =>
        [event, [next === state ? '=' : next, action].filter(Boolean).join(' ')]
    ))]
  ))
  t.strictSame(cells, expected)
})
