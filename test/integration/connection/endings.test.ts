// docs/relay.md, "The end of a connection": how connections end, and what each side receives.
import t from 'tap'
import {
  frameOf,
  Keeper,
  allGone,
  closeOf,
  connectTo,
  joined,
  nothing,
  remains,
  start,
  textOf
} from './support.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { until } from '../../helpers.js'
import type { Peer, Rig, Seen } from './support.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'

interface Case {
  name: string
  end (peer: Peer, pid: Pid, rig: Rig, target: Keeper): unknown
  sees: Seen
  /** Undefined when the target has ended. */
  leave: { reason: string, code: number | undefined, cause: string } | undefined
  exit: string
  options?: WsRelayOptions
  prepare? (peer: Peer): void
}

const cut: Seen = { code: 1006, reason: '' }
const saw = (code: number, reason = ''): Seen => ({ code, reason })
const left = (cause: string, code: number | undefined, reason: string): Case['leave'] => ({
  reason,
  code,
  cause
})

const cases: Case[] = [
  {
    name: 'the client closes with a code and a reason',
    end: (peer) => peer.close(4001, 'bye'),
    sees: saw(4001, 'bye'),
    leave: left('client', 4001, 'bye'),
    exit: 'normal'
  },
  {
    name: 'the client closes with a code',
    end: (peer) => peer.close(1000),
    sees: saw(1000),
    leave: left('client', 1000, 'client closed'),
    exit: 'normal'
  },
  {
    name: 'the client closes without a code',
    end: (peer) => peer.close(),
    sees: { code: undefined, reason: '' },
    leave: left('client', undefined, 'client closed'),
    exit: 'normal'
  },
  {
    name: 'the client resets the connection',
    end: (peer) => {
      peer.rst()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client ends its side without a close frame',
    end: (peer) => {
      peer.fin()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client ends its side in the middle of a frame',
    end: (peer) => {
      peer.write(textOf('hello').subarray(0, 8)).fin()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client answers no ping',
    options: { pingInterval: 20, pongTimeout: 20 },
    prepare: (peer) => {
      peer.answersPings = false
    },
    end: () => {},
    sees: cut,
    leave: left('ping_timeout', undefined, 'ping timeout'),
    exit: 'ping_timeout'
  },
  {
    name: 'ws.close with a code and a reason',
    end: (_peer, pid, { others }) => others.send(pid, 'ws.close', { code: 4002, reason: 'enough' }),
    sees: saw(4002, 'enough'),
    leave: left('process', 4002, 'enough'),
    exit: 'normal'
  },
  {
    name: 'the target returns',
    end: (_peer, _pid, { others }, target) => others.exit(target.pid, 'normal'),
    sees: saw(1000, 'target process exited'),
    leave: undefined,
    exit: 'normal'
  },
  {
    name: 'the target is told to stop',
    end: (_peer, _pid, { others }, target) => others.cancel(target.pid),
    sees: saw(1000, 'target process exited'),
    leave: undefined,
    exit: 'normal'
  },
  ...['kill', 'boom', 'error', 'noconnection'].map((reason): Case => ({
    name: `the target exits with '${reason}'`,
    end: (_peer, _pid, { others }, target) => others.exit(target.pid, reason),
    sees: saw(1011, 'target process exited'),
    leave: undefined,
    exit: 'target_down'
  })),
  ...(
    [
      [
        'a message that is too large',
        1009,
        'message too large',
        [frameOf(opcodes.text, 'x'.repeat(101))]
      ],
      [
        'fragments that are too large together',
        1009,
        'message too large',
        [
          frameOf(opcodes.text, 'x'.repeat(60), { fin: false }),
          frameOf(opcodes.continuation, 'x'.repeat(60))
        ]
      ],
      [
        'text that is not UTF-8',
        1007,
        'invalid UTF-8',
        [frameOf(opcodes.text, Buffer.from([0xff]))]
      ],
      [
        'a frame that is not masked',
        1002,
        'protocol error: frame not masked',
        [Buffer.from([0x81, 0])]
      ],
      [
        'a reserved bit',
        1002,
        'protocol error: reserved bits set',
        [frameOf(opcodes.text, 'x', { rsv1: true })]
      ],
      [
        'a close code that may not be sent',
        1002,
        'protocol error: invalid close code 1005',
        [closeOf(1005)]
      ],
      [
        'too many fragments',
        1008,
        'too many fragments',
        [
          frameOf(opcodes.text, 'x', { fin: false }),
          ...Array.from({ length: 4 }, () => frameOf(opcodes.continuation, 'x', { fin: false }))
        ]
      ]
    ] as const
  ).map(([name, code, reason, frames]): Case => ({
    name: `the client sends ${name}`,
    options: { maxPayload: 100, maxFragments: 4 },
    end: (peer) => peer.write(...frames),
    sees: saw(code, reason),
    leave: left('protocol', code, reason),
    exit: 'protocol_error'
  })),
  {
    name: 'the server is closing',
    end: (_peer, _pid, { app }) => {
      app.close()
    },
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: 'cancel',
    end: (_peer, pid, { others }) => others.cancel(pid, 'whatever'),
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: "exit without a reason, which is 'shutdown'",
    end: (_peer, pid, { others }) => others.exit(pid),
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: 'exit with a reason that the client is not told',
    end: (_peer, pid, { others }) => others.exit(pid, 'secret'),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'secret'),
    exit: 'secret'
  },
  {
    name: "exit with 'normal'",
    end: (_peer, pid, { others }) => others.exit(pid, 'normal'),
    sees: saw(1000, 'closed by server'),
    leave: left('exit', 1000, 'normal'),
    exit: 'normal'
  },
  {
    name: 'a kill',
    end: (_peer, pid, { others }) => others.exit(pid, 'kill'),
    sees: cut,
    leave: left('killed', undefined, 'killed'),
    exit: 'killed'
  },
  {
    name: 'a linked process fails',
    end: async (_peer, pid, { others }) => (await others.linked(pid)).fail(),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'error'),
    exit: 'error'
  },
  {
    name: 'a linked process is killed',
    end: async (_peer, pid, { others }) => (await others.linked(pid)).exit('kill'),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'killed'),
    exit: 'killed'
  }
]

t.test('reports every end once as its table row says, with the leave before @exit', async (t) => {
  for (const { name, options, prepare, end, sees, leave, exit } of cases) {
    await t.test(name, async (t) => {
      const rig = await start(t, options)
      const target = new Keeper(rig)
      const peer = await connectTo(t, rig, { target_pid: target.pid, metadata: { a: 1 } })
      const [{ client_pid: pid }] = await target.until('ws.join')
      const { exit: ended } = await rig.others.watch(pid)
      prepare?.(peer)
      await end(peer, pid, rig, target)
      t.strictSame(await peer.end(), sees, 'the client')
      const { reason, value, error } = await ended
      t.equal(reason, exit)
      t.equal(error, undefined)
      if (leave === undefined) {
        t.strictSame(value, { code: sees.code, reason: 'target process exited', cause: 'target' })
      } else {
        await target.until('@exit')
        t.strictSame(
          target.topics.filter((topic) => topic !== '@cancel'),
          ['ws.join', 'ws.leave', '@exit']
        )
        t.strictSame(target.mail[1], {
          topic: 'ws.leave',
          payload: { client_pid: pid, ...leave, metadata: { a: 1 } },
          from: pid
        })
        t.strictSame(value, leave)
        t.match(target.mail[2].payload, { pid, reason: exit, value: leave })
      }
      t.equal(rig.processes.alive(pid), false)
      t.equal(rig.processes.info(pid), undefined)
      await allGone(rig)
    })
  }
})

t.test('closes with 1013 when the target ends before it took the join, for any reason', async t => {
  const rig = await start(t)
  const ends: Record<string, (pid: Pid) => unknown> = {
    'it is stopped': (pid) => rig.processes.exit(pid),
    'it is killed': (pid) => rig.processes.exit(pid, 'kill'),
    'it fails': (pid) => rig.processes.exit(pid, 'boom'),
    'it is cancelled': (pid) => rig.processes.cancel(pid),
    'it stops by itself': (pid) => rig.processes.send(pid, 'stop')
  }
  for (const [name, end] of Object.entries(ends)) {
    let leave = (): void => {}
    const left = new Promise<void>((resolve) => { leave = resolve })
    // It handles another message first and awaits something, like a room that stores a message.
    const target = rig.processes.spawn(async (self) => {
      const message = await self.receive({ topic: 'stop' }).catch(() => undefined)
      if (message !== undefined) self.stop()
      await left
    })
    const peer = await connectTo(t, rig, { target_pid: target })
    const [client] = rig.processes.list().filter((pid) => rig.processes.info(pid)?.kind === 'ws')
    const ended = rig.processes.exited(client)
    end(target)
    leave()
    t.strictSame(await peer.end(), saw(1013, 'target process exited'), name)
    t.match(
      await ended,
      {
        reason: 'target_down',
        value: { code: 1013, cause: 'target', reason: 'target process exited' }
      },
      name
    )
  }
  await allGone(rig)
})

t.test(
  'closes with 1000 once the join was taken, also inside the handler of the join',
  async (t) => {
    const rig = await start(t)
    const bodies: Record<string, (self: Process) => unknown> = {
      'its handler stops': (self) => self.serve({ 'ws.join': () => self.stop() }),
      'its handler waits, then stops': (self) =>
        self.serve({
          'ws.join': async () => {
            await new Promise(setImmediate)
            self.stop()
          }
        }),
      'a loop that is left': async (self) => {
        for await (const { topic } of self.inbox) if (topic === 'ws.join') break
      },
      'one receive': async (self) => {
        await self.receive({ topic: 'ws.join' })
      }
    }
    for (const [name, body] of Object.entries(bodies)) {
      const peer = await connectTo(t, rig, { target_pid: rig.processes.spawn(body) })
      t.strictSame(await peer.end(), saw(1000, 'target process exited'), name)
    }
    await allGone(rig)
  }
)

t.test('closes with 1013 after a transfer when the new target did not take the join', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  const next = rig.processes.spawn(async (self) => { await self.receive({ topic: 'never' }) })
  rig.processes.send(pid, 'ws.control', { target_pid: next })
  await target.until('ws.leave')
  rig.processes.exit(next)
  t.strictSame(await peer.end(), saw(1013, 'target process exited'))

  const other = await joined(t, rig)
  const busy = rig.processes.spawn(async (self) => {
    await self.receive({ topic: 'ws.join' })
    await self.receive({ topic: 'ws.join' })
    await self.receive({ topic: 'never' })
  })
  for (const to of [busy, other.target.pid, busy, other.target.pid, busy]) {
    rig.processes.send(other.pid, 'ws.control', { target_pid: to })
  }
  await other.target.until('ws.leave', 3)
  rig.processes.exit(busy)
  t.strictSame(
    await other.peer.end(),
    saw(1013, 'target process exited'),
    'it took two of three joins of this client'
  )
})

t.test('sends a slow client its close frame after the frames sent before', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000 })
  const { peer, pid, target } = await joined(t, rig)
  const ended = rig.processes.exited(pid)
  peer.socket.pause()
  let sent = 0
  while (rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(100_000) })) sent++
  t.strictSame((await target.until('ws.leave'))[0], {
    client_pid: pid,
    reason: 'client too slow',
    code: 1013,
    cause: 'slow',
    metadata: {}
  })
  t.equal((await ended).reason, 'slow_client')
  peer.socket.resume()
  t.strictSame(await peer.end(), saw(1013, 'client too slow'))
  t.equal(peer.texts.length, sent)
  await allGone(rig)
})

t.test('an orderly end leaves linked processes running, any other ends them', async t => {
  const ends: Record<
    string,
    [end: (rig: Rig, peer: Peer, pid: Pid) => unknown, survives: boolean]
  > = {
    'client closes': [(_rig, peer) => peer.close(1000), true],
    'ws.close': [({ others }, _peer, pid) => others.send(pid, 'ws.close'), true],
    cancel: [({ others }, _peer, pid) => others.cancel(pid), true],
    'exit normal': [({ others }, _peer, pid) => others.exit(pid, 'normal'), true],
    lost: [
      (_rig, peer) => {
        peer.rst()
      },
      false
    ],
    protocol: [(_rig, peer) => peer.write(Buffer.from([0x81, 0])), false],
    exit: [({ others }, _peer, pid) => others.exit(pid, 'boom'), false],
    kill: [({ others }, _peer, pid) => others.exit(pid, 'kill'), false]
  }
  const rig = await start(t)
  for (const [name, [end, survives]] of Object.entries(ends)) {
    const { peer, pid, target } = await joined(t, rig)
    const linked = await rig.others.linked(pid)
    await end(rig, peer, pid)
    await target.until('@exit')
    // A monitor of the dead connection is answered after its exit was delivered.
    await (await rig.others.watch(pid)).exit
    if (survives) {
      await linked.exit('still there')
      t.match(await linked.exited, { reason: 'still there' }, name)
    } else t.notMatch(await linked.exited, { reason: /normal|shutdown/ }, name)
  }
})

t.test('replaces a close code that may not be sent by 1011, with a warning', async t => {
  const warnings: string[] = []
  const rig = await start(
    t,
    {},
    {
      logger: {
        level: 'warn',
        stream: {
          write: (line) => {
            warnings.push(JSON.parse(line).msg)
          }
        }
      }
    }
  )
  for (const [code, seen] of [
    [1000, 1000],
    [1001, 1001],
    [1003, 1003],
    [1007, 1007],
    [1014, 1014],
    [3000, 3000],
    [4999, 4999],
    [999, 1011],
    [1004, 1011],
    [1005, 1011],
    [1006, 1011],
    [1015, 1011],
    [1016, 1011],
    [2999, 1011],
    [5000, 1011],
    [NaN, 1011],
    ['1000', 1011],
    [1000.5, 1011],
    [null, 1011],
    [Infinity, 1011],
    [-1, 1011],
    [{}, 1011]
  ] as Array<[unknown, number]>) {
    warnings.length = 0
    const { peer, pid, target } = await joined(t, rig)
    t.equal(rig.processes.send(pid, 'ws.close', { code, reason: 'r' } as never), true)
    t.strictSame(await peer.end(), saw(seen, 'r'), `code ${String(code)}`)
    t.match((await target.until('ws.leave'))[0], { code: seen, reason: 'r', cause: 'process' })
    t.equal(warnings.length, seen === code ? 0 : 1)
  }
})

t.test('accepts an object, a reason or nothing as ws.close', async t => {
  const rig = await start(t)
  for (const [payload, sees] of [
    [undefined, saw(1000)],
    [null, saw(1000)],
    [{}, saw(1000)],
    ['bye', saw(1000, 'bye')],
    [{ reason: 'bye' }, saw(1000, 'bye')],
    [{ code: 4000 }, saw(4000)],
    [{ code: 4000, reason: `${'x'.repeat(122)}é` }, saw(4000, 'x'.repeat(122))],
    ['漢'.repeat(100), saw(1000, '漢'.repeat(41))]
  ] as Array<[unknown, Seen]>) {
    const { peer, pid, target } = await joined(t, rig)
    t.equal(await rig.processes.call(pid, 'ws.close', payload as never), undefined)
    t.strictSame(await peer.end(), sees)
    t.strictSame((await target.until('ws.leave'))[0], {
      client_pid: pid,
      ...sees,
      cause: 'process',
      metadata: {}
    })
  }
})

t.test('changes nothing when a ws.close is malformed', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  const getter = { get code () { throw new Error('no') } }
  for (const payload of [5, true, ['bye'], { reason: 5 }, getter]) {
    const { refused } = rig.processes.stats()
    t.equal(rig.processes.send(pid, 'ws.close', payload as never), false)
    t.equal(rig.processes.stats().refused, refused + 1)
    await t.rejects(rig.processes.call(pid, 'ws.close', payload as never), {
      code: 'FST_WS_RELAY_INVALID_PAYLOAD'
    })
  }
  peer.text('still here')
  t.strictSame(await target.until('ws.message').then(([{ data }]) => data), 'still here')
})

t.test('sends the close frame after all earlier frames', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const sent = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(i * 20)}`)
  for (const data of sent) rig.processes.send(pid, 'ws.send', { data })
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  t.equal(rig.processes.send(pid, 'ws.send', { data: 'too late' }), false)
  t.strictSame(await peer.end(), saw(4000))
  t.strictSame(peer.texts, sent)
})

t.test('sends one leave with the first reason when several ends come in one tick', async t => {
  const rig = await start(t)
  const ways: Record<string, [does: (pid: Pid, target: Keeper) => unknown, cause: string]> = {
    close: [(pid) => rig.processes.send(pid, 'ws.close', { code: 4000, reason: 'c' }), 'process'],
    exit: [(pid) => rig.processes.exit(pid, 'boom'), 'exit'],
    cancel: [(pid) => rig.processes.cancel(pid), 'shutdown'],
    kill: [(pid) => rig.processes.exit(pid, 'kill'), 'killed'],
    link: [(pid) => {
      const linked = rig.processes.spawn(async (self) => { await self.receive() })
      rig.relay.runtime.exitSignals.link(rig.relay.runtime.processTable.findEntity(linked)!, pid)
      rig.processes.exit(linked, 'boom')
    }, 'exit'],
    target: [(_pid, target) => rig.processes.exit(target.pid, 'boom'), 'target']
  }
  for (const [first, [does, cause]] of Object.entries(ways)) {
    // The exit of a remote target takes some time.
    if (first === 'target' && rig.neighbours !== undefined) continue
    for (const [second, [then]] of Object.entries(ways)) {
      const { peer, pid, target } = await joined(t, rig)
      const ended = rig.processes.exited(pid)
      does(pid, target)
      then(pid, target)
      t.match((await ended).value, { cause }, `${first}, then ${second}`)
      await peer.end()
      if (first !== 'target' && second !== 'target') {
        await target.until('@exit')
        t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
        rig.processes.exit(target.pid)
      }
    }
  }
  await allGone(rig)
})

t.test('completes the close when both sides close at the same time', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  peer.close(4001, 'me too')
  t.strictSame(await peer.end(), saw(4000))
  t.match(await target.until('ws.leave'), [{ cause: 'process', code: 4000 }])
  await allGone(rig)
  t.equal(target.of('ws.leave').length, 1)
})

t.test('destroys the socket of a client that never answers the close', async t => {
  const rig = await start(t, { closeTimeout: 1000 })
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  const before = performance.now()
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  await target.until('@exit')
  t.equal(rig.relay.sockets.size, 1, 'the leave and @exit do not wait for the socket')
  t.equal(rig.processes.alive(pid), false)
  await until(() => peer.seen !== undefined)
  await peer.end()
  t.ok(performance.now() - before >= 1000)
  t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
  await allGone(rig)
})

t.test('destroys the socket of a client that never reads, too', async t => {
  const rig = await start(t, { closeTimeout: 100 })
  const { peer, pid, target } = await joined(t, rig)
  peer.socket.pause()
  while (rig.processes.info(pid)!.buffered === 0) {
    rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(100_000) })
    await new Promise(setImmediate)
  }
  rig.processes.send(pid, 'ws.close')
  await target.until('@exit')
  t.match(target.of('ws.leave'), [{ cause: 'process', code: 1000 }])
  await allGone(rig)
  t.strictSame(remains(rig), nothing, 'nothing waits for it any more')
})

t.test('drops messages that a client sends after the end', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close')
  await until(() => peer.seen !== undefined)
  peer.write(
    textOf('late'),
    frameOf(opcodes.ping, 'late'),
    frameOf(opcodes.pong),
    frameOf(opcodes.binary, 'late')
  )
  peer.close()
  await peer.end()
  await target.until('@exit')
  t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
  t.equal(peer.count(opcodes.pong), 0)
})

t.test('closes the socket of a client that breaks the protocol after the end', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  await until(() => peer.seen !== undefined)
  peer.write(Buffer.from([0x81, 0]))
  t.strictSame(await peer.end(), saw(4000))
  await allGone(rig)
})

t.test('a message in the same write as the close frame comes before the leave', async t => {
  const rig = await start(t)
  const { peer, target } = await joined(t, rig)
  peer.write(textOf('a'), textOf('b'), closeOf(4000, 'end'), textOf('after'))
  await target.until('@exit')
  t.strictSame(target.topics, ['ws.join', 'ws.message', 'ws.message', 'ws.leave', '@exit'])
  t.strictSame(target.texts, ['a', 'b'])
})

t.test('joins and leaves for a client that closes in its handshake', async t => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const peer = await connectTo(
    t,
    rig,
    { target_pid: target.pid },
    { early: Buffer.concat([textOf('a'), closeOf(4000)]) }
  )
  await target.until('ws.leave')
  t.strictSame(target.topics.slice(0, 3), ['ws.join', 'ws.message', 'ws.leave'])
  t.strictSame(await peer.end(), saw(4000))
  await allGone(rig)
})
