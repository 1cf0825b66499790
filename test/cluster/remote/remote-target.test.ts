import t from 'tap'
import { TestPeer } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { decodePayload } from '../../../lib/cluster/values/payload.js'
import { testContext } from '../fixtures/context.js'
import { RemoteCalls } from '../../../lib/cluster/remote/remote-calls.js'
import { RemoteTarget } from '../../../lib/cluster/remote/remote-target.js'
import type { Caller } from '../../../lib/cluster/remote/remote-calls.js'
import type { RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { Producer } from '../../../lib/shared/watermark.js'
import type { Pid } from '../../../types/pid.js'

const client = '7@a.1' as Pid
const pid = '1@b.1' as Pid

interface Scene {
  readonly peer: TestPeer
  readonly target: RemoteTarget
  readonly calls: RemoteCalls
  readonly who: ReturnType<typeof watcher>
  /** The operations that were passed to the cluster. */
  readonly asked: unknown[][]
  /** The types and payloads of the sent frames. */
  readonly sent: () => unknown[][]
}

function make (): Scene {
  const peer = new TestPeer('b')
  const who = watcher()
  const asked: unknown[][] = []
  const ask = (what: string) => (...args: unknown[]): boolean => {
    asked.push([what, ...args])
    return true
  }
  const remoteNodes = {
    send: ask('send'),
    exit: ask('exit'),
    cancel: ask('cancel'),
    demonitor: ask('demonitor')
  } as unknown as RemoteNodes
  const context = testContext()
  const calls = new RemoteCalls(context)
  return {
    peer,
    who,
    asked,
    calls,
    target: new RemoteTarget({ context, remoteNodes, calls }, peer, pid, 3, who),
    sent: () =>
      peer.sent
        .splice(0)
        .map(({ type, kind, body }) => [type, decodePayload(kind, Buffer.from(body))!.payload])
  }
}

/** The caller of a call. */
function answers (): Caller & { readonly log: unknown[] } {
  const log: unknown[] = []
  return {
    log,
    reply (value) { log.push(['reply', value]) },
    fail (error) { log.push(['fail', error]) },
    reject (error) { log.push(['reject', (error as { code: string }).code]) },
    targetEnded ({ reason }) { log.push(['targetEnded', reason]) }
  }
}

function feeder (): Producer & { resumed: number } {
  return { resumed: 0, resume () { this.resumed++ } }
}

t.test('sends text and bytes unchanged, and metadata only when it changes', async (t) => {
  const { peer, target, sent } = make()
  const metadata = { user: 'ada' }
  const bytes = Buffer.from([1, 2])
  target.accept('ws.message', { client_pid: client, type: 'text', data: 'hé', metadata }, client)
  t.match(peer.sent, [
    { type: frameTypes.metadata, ref: 3, from: 7 },
    { type: frameTypes.clientMessage, ref: 3, from: 7, text: 'ws.message' }
  ])
  t.strictSame(sent(), [[frameTypes.metadata, metadata], [frameTypes.clientMessage, 'hé']])
  target.accept('ws.message', { client_pid: client, type: 'binary', data: bytes, metadata }, client)
  t.strictSame(sent(), [[frameTypes.clientMessage, bytes]])
  const other = { user: 'ada' }
  target.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: '', metadata: other },
    client
  )
  t.strictSame(
    sent(),
    [
      [frameTypes.metadata, other],
      [frameTypes.clientMessage, '']
    ],
    'metadata that is another object, and a text without a letter'
  )
})

t.test('sends a checked message as its content, and a call with its number', async (t) => {
  const { peer, target, calls, sent } = make()
  const message = { client_pid: client, type: 'json', topic: 'say', data: [1], metadata: undefined }
  target.accept('ws.message', message, client)
  const caller = answers()
  target.accept('ws.message', message, client, 10, caller)
  t.match(peer.sent, [{ to: 0, from: 7, text: 'ws.message' }, { to: 1, from: 7 }])
  const content = { type: 'json', topic: 'say', data: [1] }
  t.strictSame(sent(), [[frameTypes.clientMessage, content], [frameTypes.clientMessage, content]])
  t.ok(calls.size > 0)
  calls.channelReset(peer)
  t.strictSame(caller.log, [['targetEnded', 'noconnection']])
  t.equal(calls.size, 0)
})

t.test('drops a checked message that cannot cross, without an end of the binding', async (t) => {
  const { target, calls, sent, who } = make()
  const data = { deep: () => {} }
  const message = { client_pid: client, type: 'json', topic: 'say', data, metadata: undefined }
  const caller = answers()
  t.ok(target.accept('ws.message', message, client))
  t.ok(target.accept('ws.message', message, client, 10, caller))
  t.strictSame([sent(), who.exits], [[], []])
  t.strictSame(caller.log, [['reject', 'FST_CLUSTER_INVALID_PAYLOAD']])
  t.equal(calls.size, 0)
})

t.test('a call to a target that has ended is rejected, and one that is not sent too', async (t) => {
  const { peer, target, calls } = make()
  const message = { client_pid: client, type: 'json', topic: 'say', data: 1, metadata: undefined }
  peer.refuses = () => true
  target.accept('ws.message', message, client, 10, answers())
  t.equal(calls.size, 0, 'the connection ends, and its calls with it')
  const caller = answers()
  target.accept('ws.message', message, client, 10, caller)
  t.strictSame(caller.log, [['reject', 'FST_PROCESS_NOT_ALIVE']])
})

t.test('omits client_pid and metadata from the payload of other client messages', async (t) => {
  const { target, sent } = make()
  target.accept('ws.leave', { client_pid: client, metadata: undefined, code: 1001 }, client)
  t.strictSame(sent(), [[frameTypes.clientEvent, { code: 1001 }]])
})

t.test('a full channel refuses heartbeats, but no messages of the client', async (t) => {
  const { peer, target, sent } = make()
  const metadata = 1
  target.accept('ws.join', { client_pid: client, metadata }, client)
  sent()
  peer.refuses = (fields, urgency) => urgency === 'message'
  t.notOk(target.deliver('ws.heartbeat', { client_pid: client, metadata, uptime: 1 }, client))
  target.accept('ws.message', { client_pid: client, type: 'text', data: 'x', metadata }, client)
  t.strictSame(sent(), [[frameTypes.clientMessage, 'x']])
  peer.refuses = () => false
  t.ok(target.deliver('ws.heartbeat', { client_pid: client, metadata, uptime: 1 }, client))
  t.strictSame(sent(), [[frameTypes.clientNews, { uptime: 1 }]])
})

t.test('sends other messages and calls like those to any remote process', async (t) => {
  const { target, asked } = make()
  const answer = watcher() as never
  const ofClient = { client_pid: client, metadata: 1 }
  const others: [unknown, Pid | undefined, undefined?][] = [
    [ofClient, undefined],
    [ofClient, '8@a.1' as Pid],
    [{ client_pid: client }, client],
    ['text', client],
    [null, client]
  ]
  for (const [payload, from] of others) t.ok(target.deliver('topic', payload, from))
  t.ok(target.deliver('topic', ofClient, client, answer))
  t.strictSame(asked, [
    ...others.map(([payload, from]) => ['send', pid, 'topic', payload, from, undefined]),
    ['send', pid, 'topic', ofClient, client, answer]
  ])
})

t.test('ends the binding with noconnection when a client message cannot be sent', async (t) => {
  const cannot: [string, (scene: Scene) => void][] = [
    [
      'its metadata is no plain data',
      ({ target }) => {
        target.accept('ws.join', { client_pid: client, metadata: () => {} }, client)
      }
    ],
    [
      'its content is no plain data',
      ({ target }) => {
        target.accept(
          'ws.leave',
          { client_pid: client, metadata: undefined, why: () => {} },
          client
        )
      }
    ],
    [
      'the channel takes no metadata',
      ({ target, peer }) => {
        peer.refuses = ({ type }) => type === frameTypes.metadata
        target.accept('ws.join', { client_pid: client, metadata: 1 }, client)
      }
    ],
    [
      'the channel does not take it',
      ({ target, peer }) => {
        peer.refuses = () => true
        target.accept(
          'ws.message',
          { client_pid: client, type: 'text', data: 'x', metadata: undefined },
          client
        )
      }
    ]
  ]
  for (const [name, act] of cannot) {
    const scene = make()
    act(scene)
    t.strictSame(scene.who.exits, [{ pid, reason: 'noconnection' }], name)
    t.strictSame(scene.asked, [['demonitor', pid, scene.who]])
    t.ok(scene.target.refusesMail)
    t.strictSame(scene.sent(), [])
  }
})

t.test('does not end a binding twice when the send itself has released it', async (t) => {
  const { target, peer, who, asked } = make()
  peer.refuses = () => {
    target.release()
    return true
  }
  target.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'x', metadata: undefined },
    client
  )
  t.strictSame(who.exits, [])
  t.strictSame(asked, [])
})

t.test('drops messages and resumes no producer after its release', async (t) => {
  const { target, sent, who } = make()
  const waiting = feeder()
  target.pause()
  target.subscribeToDrain(waiting)
  t.notOk(target.refusesMail)
  target.release()
  t.ok(target.refusesMail)
  target.accept('ws.message', { client_pid: client, type: 'text', data: 'x', metadata: 1 }, client)
  t.notOk(target.deliver('topic', 1, undefined))
  target.subscribeToDrain(waiting)
  target.resume()
  t.equal(waiting.resumed, 0)
  t.strictSame(sent(), [])
  t.strictSame(who.exits, [])
})

t.test('is congested while the remote mailbox has paused it', async (t) => {
  const { target } = make()
  const [one, gone] = [feeder(), feeder()]
  t.notOk(target.congested)
  target.pause()
  t.ok(target.congested)
  target.subscribeToDrain(one)
  target.subscribeToDrain(gone)
  target.unsubscribeFromDrain(gone)
  target.resume()
  target.resume()
  t.notOk(target.congested)
  t.equal(one.resumed, 1)
  t.equal(gone.resumed, 0)
})

t.test('is congested while the window of the channel is full', async (t) => {
  const { target, peer } = make()
  const { window } = peer.channel
  const [one, gone] = [feeder(), feeder()]
  window.countAdded(7 * 1024 * 1024)
  t.ok(target.congested)
  target.subscribeToDrain(one)
  target.subscribeToDrain(gone)
  target.unsubscribeFromDrain(gone)
  window.countRemoved(7 * 1024 * 1024)
  window.resumeProducers()
  t.notOk(target.congested)
  t.equal(one.resumed, 1)
  t.equal(gone.resumed, 0)
})

t.test('keeps producers waiting for the channel after the mailbox has room', async (t) => {
  const { target, peer } = make()
  const { window } = peer.channel
  const [first, second] = [feeder(), feeder()]
  target.pause()
  target.subscribeToDrain({
    resume () {
      first.resume()
      window.countAdded(7 * 1024 * 1024)
    }
  })
  target.subscribeToDrain(second)
  target.resume()
  t.equal(first.resumed, 1)
  t.equal(second.resumed, 0, 'the first has filled it')
  window.countRemoved(7 * 1024 * 1024)
  window.resumeProducers()
  t.equal(second.resumed, 1)
})

t.test('forwards end, linkFailed and cancel to the cluster', async (t) => {
  const { target, asked } = make()
  target.end('boom')
  target.linkFailed('linked')
  t.ok(target.cancel(client, 'please'))
  target.notify()
  t.strictSame(asked, [
    ['exit', pid, 'boom'],
    ['exit', pid, 'linked'],
    ['cancel', pid, 'please', client]
  ])
})

t.test('describes itself as a running process with its uptime', async (t) => {
  const { target } = make()
  t.match(target, { pid, kind: 'process', trapLinks: false })
  const { uptime, ...rest } = target.describe()
  t.ok(uptime >= 0)
  t.strictSame(rest, { kind: 'process', label: '', status: 'running', mailbox: 0, monitors: [] })
})
