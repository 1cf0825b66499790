// Messages of a client that its process has not taken come back, so that the next one gets them.
import t from 'tap'
import { frame, receive } from '../fixtures/pair.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { encodePayload } from '../../../lib/cluster/values/payload.js'
import { handsMailOn, takeUnreadMail, tookJoin } from '../../../lib/process/exits/unread-joins.js'
import { connected } from './bindings.js'
import type { UnreadMail } from '../../../lib/process/exits/unread-joins.js'
import type { Exit } from '../../../types/messages.js'
import type { Answer } from '../../../lib/process/calls.js'
import type { ExitListener } from '../../../lib/process/exits/relations.js'
import type { Connected } from './bindings.js'

const metadata = { user: 'ada' }

/** A visitor whose `ws.join` lies in the mailbox of a process of a key. */
class Visitor {
  readonly scene: Connected
  #sent = 0

  static async come (isJoined = true): Promise<Visitor> {
    const visitor = new Visitor(await connected())
    const { local } = visitor.scene.nodes.b
    local.takeMail = () => local.mail.filter(({ topic }) => topic === 'ws.message')
      .map(({ payload }) => {
        const { bytes, ...message } = payload as { bytes: number }
        return { payload: message, bytes }
      })
    local.unread.add(visitor.scene.client)
    if (isJoined) visitor.tell('ws.join')
    return visitor
  }

  constructor (scene: Connected) {
    this.scene = scene
  }

  tell (topic: string): void {
    const { at, client } = this.scene
    at.accept(topic, { client_pid: client, metadata }, client, 0)
  }

  /** @returns whether the target takes it */
  send (content: object = { type: 'text', data: String(++this.#sent) }, call?: Answer): boolean {
    const { at, client } = this.scene
    return at.accept('ws.message', { client_pid: client, ...content, metadata }, client, 1, call)
  }

  /** Sends a message that arrives. */
  sendNow (): void {
    this.send()
    this.arrive()
  }

  /** Delivers all frames. Those for a binding that is gone are of the router. */
  arrive (): void {
    const { nodes, nodes: { a, b } } = this.scene
    for (let taken: unknown[] = [true]; taken.length > 0;) {
      taken = [...nodes.deliverTo(b), ...nodes.deliverTo(a)]
      if (taken.includes(false)) throw new Error('garbage')
    }
  }

  /** All messages so far arrive, and then the process ends. */
  end (reason = 'normal'): void {
    const { nodes, target } = this.scene
    nodes.b.local.end(target, reason)
  }

  /** The process ends, and its node has sent the mail back. The exit is still to come. */
  endReturning (): void {
    const { nodes } = this.scene
    this.end()
    nodes.deliverTo(nodes.a)
  }

  get exits (): readonly Exit[] {
    return this.scene.who.exits
  }

  /** Messages that came back with the exit. */
  get back (): readonly UnreadMail[] {
    return takeUnreadMail(this.exits[0], this.scene.client)
  }

  get texts (): string {
    return this.back.map(({ payload }) => (payload as { data: string }).data).join()
  }

  get refused (): number[] {
    const { a, b } = this.scene.nodes
    return [a, b].map(({ local }) => local.refusedCount)
  }
}

t.test('returns the mail of a client that nobody has joined, as it was sent', async (t) => {
  const visitor = await Visitor.come()
  const { nodes, client } = visitor.scene
  const messages = [
    { type: 'text', data: 'hé' },
    { type: 'binary', data: Buffer.from([1, 2]) },
    { type: 'json', topic: 'say', data: { text: 'hi' } },
    { type: 'json', topic: 'say', data: undefined }
  ]
  for (const message of messages) visitor.send(message)
  visitor.arrive()
  visitor.end()
  t.strictSame(visitor.exits, [], 'messages may be under way')
  visitor.arrive()
  t.match(visitor.exits, [{ reason: 'normal' }])
  t.notOk(tookJoin(visitor.exits[0], client))
  t.strictSame(visitor.back, messages.map((message, i) => ({
    payload: { ...message, client_pid: client, metadata: undefined },
    bytes: [3, 2][i] ?? encodePayload(message)!.body.length
  })))
  t.equal(nodes.size, 0)
})

t.test('returns messages that were under way when the process ended, in order', async (t) => {
  const visitor = await Visitor.come()
  const { nodes, at } = visitor.scene
  visitor.sendNow()
  visitor.send()
  visitor.tell('ws.suspend')
  visitor.end()
  visitor.send()
  t.notOk(at.refusesMail)
  nodes.deliverTo(nodes.a)
  t.ok(at.refusesMail, 'it knows of the end')
  t.equal(visitor.send(), false, 'the connection holds it')
  visitor.tell('ws.resume')
  visitor.arrive()
  t.equal(visitor.texts, '1,2,3')
  t.strictSame(visitor.refused, [0, 0])
  t.equal(nodes.size, 0)
})

t.test('returns messages of a client whose join was under way', async (t) => {
  const visitor = await Visitor.come()
  visitor.send()
  visitor.end()
  visitor.arrive()
  t.equal(visitor.texts, '1')
  t.notOk(tookJoin(visitor.exits[0], visitor.scene.client))
})

t.test('keeps messages that a stopping process refuses, and pauses the client', async (t) => {
  const visitor = await Visitor.come()
  const { nodes, at } = visitor.scene
  visitor.sendNow()
  nodes.b.local.refuses = true
  visitor.send()
  visitor.sendNow()
  t.ok(at.congested)
  t.equal(nodes.b.local.waiting.size, 0, 'a stopping process with room must not resume it')
  t.strictSame(visitor.refused, [0, 0])
  visitor.end()
  visitor.sendNow()
  t.equal(visitor.texts, '1,2,3,4')
  t.strictSame(visitor.refused, [0, 0])
})

t.test('counts refused messages when they do not come back', async (t) => {
  for (const [name, play] of Object.entries({
    'the process fails': (visitor: Visitor) => {
      visitor.scene.nodes.b.local.takeMail = undefined
      visitor.end('boom')
    },
    'the client is joined': (visitor: Visitor) => {
      visitor.scene.nodes.b.local.unread.clear()
      visitor.end()
    },
    'the client leaves': ({ scene: { nodes, target, who } }: Visitor) => {
      nodes.a.unit.unbind(target, who)
    }
  })) {
    const visitor = await Visitor.come()
    visitor.arrive()
    const { nodes } = visitor.scene
    nodes.b.local.refuses = true
    for (let i = 0; i < 2; i++) visitor.send()
    visitor.arrive()
    play(visitor)
    visitor.arrive()
    t.strictSame(visitor.refused, [0, 2], name)
    t.equal(nodes.size, 0, name)
  }
})

t.test('counts an event that a stopping process refuses, and pauses at one if it is full',
  async (t) => {
    const visitor = await Visitor.come()
    const { nodes: { b }, at } = visitor.scene
    b.local.full = true
    visitor.arrive()
    t.ok(at.congested)
    b.local.refuses = true
    visitor.tell('ws.suspend')
    visitor.arrive()
    t.strictSame(visitor.refused, [0, 1])
  })

t.test('counts messages that have come back to a client that leaves', async (t) => {
  const visitor = await Visitor.come()
  const { nodes, target, who } = visitor.scene
  visitor.sendNow()
  visitor.send()
  visitor.endReturning()
  visitor.tell('ws.leave')
  nodes.a.unit.unbind(target, who)
  visitor.arrive()
  t.strictSame(visitor.exits, [])
  t.strictSame(visitor.refused, [1, 0])
  t.equal(nodes.size, 0)
})

t.test('reports a lost node to a client whose messages are coming back', async (t) => {
  const visitor = await Visitor.come()
  const { nodes } = visitor.scene
  visitor.sendNow()
  visitor.endReturning()
  nodes.resetChannel()
  t.match(visitor.exits, [{ reason: 'noconnection' }])
  t.strictSame(visitor.refused, [1, 0])
  t.notOk(nodes.b.local.mail.some(({ topic }) => topic === 'ws.leave'), 'the process has ended')
  t.equal(nodes.size, 0)
})

t.test('closes while messages are coming back', async (t) => {
  const visitor = await Visitor.come()
  const { nodes } = visitor.scene
  visitor.sendNow()
  visitor.end()
  nodes.b.unit.announceClosing([nodes.b.peer])
  visitor.arrive()
  t.match(visitor.exits, [{ reason: 'noconnection', nodeClosing: true }])
  t.equal(nodes.size, 0)
})

t.test('answers calls of a client when the process has ended', async (t) => {
  for (const isLate of [true, false]) {
    const visitor = await Visitor.come()
    const { nodes } = visitor.scene
    if (!isLate) nodes.b.local.takeMail = undefined
    visitor.arrive()
    const refusals: unknown[] = []
    const caller: Answer & ExitListener = {
      reply () {},
      fail () {},
      reject: (err) => { refusals.push((err as { code: string }).code) },
      targetEnded () {}
    }
    const call = { type: 'json', topic: 'say', data: 1 }
    visitor.send(call, caller)
    const { to } = nodes.a.peer.sent.at(-1)!
    visitor.end()
    nodes.deliverTo(nodes.a)
    t.equal(visitor.send(call, caller), true)
    t.strictSame(refusals, ['FST_PROCESS_NOT_ALIVE'])
    nodes.deliverTo(nodes.b)
    t.match(nodes.b.peer.sent[0], { type: frameTypes.callEnded, ref: to, text: 'noproc' })
    visitor.arrive()
    t.equal(visitor.back.length, 0)
    t.equal(nodes.size, 0)
  }
})

t.test('takes no more back than was sent, and no garbage', async (t) => {
  const visitor = await Visitor.come()
  const { nodes: { a, b }, client } = visitor.scene
  const to = Number(client.split('@')[0])
  const unread = (payload: unknown, fields = {}) => receive(a, frame({
    type: frameTypes.unread, ref: 1, to, ...encodePayload(payload), ...fields
  }))
  visitor.send()
  t.equal(unread(5), false)
  t.equal(unread(undefined), false)
  t.equal(unread('text', { kind: 9 }), false)
  t.equal(unread('one'), true)
  t.equal(unread('two'), false)
  t.equal(unread('one', { ref: 99 }), true, 'the connection has left')
  t.equal(receive(a, frame({ type: frameTypes.stopSending, ref: 99 })), true)
  for (const [ref, taken] of [[1, false], [99, true]] as const) {
    visitor.scene.nodes.deliverTo(b)
    t.equal(receive(b, frame({ type: frameTypes.sendingStopped, ref })), taken)
  }
})

t.test('takes nothing back before the other node has answered the bind', async (t) => {
  const visitor = await Visitor.come(false)
  const { nodes: { a }, target, who } = visitor.scene
  a.unit.unbind(target, who)
  a.unit.bind(target, who).catch(t.threw)
  const { ref } = a.peer.sent.at(-1)!
  const unread = frame({ type: frameTypes.unread, ref, to: 1, ...encodePayload('x') })
  t.equal(receive(a, unread), false)
  t.equal(receive(a, frame({ type: frameTypes.stopSending, ref })), true)
  t.notOk(a.peer.sent.some(({ type }) => type === frameTypes.sendingStopped))
})

t.test('takes nothing from a process for a node that does not take it back', async (t) => {
  const visitor = await Visitor.come()
  const { nodes: { a, b }, target } = visitor.scene
  b.peer.sent.length = a.peer.sent.length = 0
  b.unit.removeIncoming(b.peer, 1)
  receive(b, frame({ type: frameTypes.bind, ref: 1, to: Number(target.split('@')[0]) }))
  visitor.tell('ws.join')
  visitor.sendNow()
  b.local.refuses = true
  visitor.sendNow()
  t.strictSame(visitor.refused, [0, 1])
  b.local.takeMail = () => { throw new Error('it is left to the process, which counts it') }
  visitor.end()
  t.strictSame(visitor.refused, [0, 1])
  const types = b.peer.sent.map(({ type }) => type)
  t.strictSame(types, [frameTypes.down])
  t.ok(handsMailOn({ pid: target, reason: 'x' }) === false)
})

t.test('counts messages that have come back when the exit is garbage', async (t) => {
  const visitor = await Visitor.come()
  const { nodes: { a } } = visitor.scene
  visitor.sendNow()
  visitor.endReturning()
  t.equal(receive(a, frame({ type: frameTypes.down, ref: 1, kind: 9 })), false)
  t.match(visitor.exits, [{ reason: 'noconnection' }])
  t.strictSame(visitor.back, [])
  t.strictSame(visitor.refused, [1, 0])
})
