// A body that throws at any point. It ends its own process. Its clients see only the close code,
// and other processes are not affected.
import t from 'tap'
import { Keeper, allGone, joined, start } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { logs, until } from '../helpers.js'
import { held, letsGo } from '../abuse/support.js'
import type { Rig } from '../integration/connection/support.js'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'

type Body = (self: Process) => unknown
interface Mail { topic: string, payload: any }

/** Ways to receive messages; each of them calls `each` with every message. */
const loops: Record<string, (self: Process, each: (mail: Mail) => unknown) => Promise<unknown>> = {
  serve: async (self, each) => {
    const topics = [
      'ws.join',
      'ws.message',
      'ws.heartbeat',
      'ws.leave',
      '@exit',
      '@group',
      '@link_down',
      '@cancel',
      'notice',
      'late',
      'tick'
    ]
    await self.serve(Object.fromEntries(
      topics.map((topic) => [topic, (payload: unknown) => each({ topic, payload })])
    ))
  },
  'serve, asynchronously': async (self, each) => {
    await self.serve({}, async ({ topic, payload }) => {
      await undefined
      await each({ topic, payload })
    })
  },
  inbox: async (self, each) => {
    for await (const { topic, payload } of self.inbox) await each({ topic, payload })
  },
  receive: async (self, each) => {
    for (;;) {
      const message = await self.receive()
      if (message !== undefined) await each(message)
    }
  }
}

/** Causes a message of each topic. The target has a client and a friend process. */
interface TriggerClient {
  pid: Pid
  peer: { close (): unknown, text (data: string): unknown }
}
type Trigger = (rig: Rig, target: Pid, client: TriggerClient, friend: Pid) => unknown

const triggers: Record<string, Trigger> = {
  'ws.join': () => {},
  'ws.message': (_rig, _target, { peer }) => peer.text('hello'),
  'ws.heartbeat': () => {},
  'ws.leave': (_rig, _target, { peer }) => peer.close(),
  '@exit': ({ processes }, _target, _client, friend) => processes.exit(friend, 'normal'),
  '@link_down': ({ processes }, _target, _client, friend) => processes.exit(friend, 'kill'),
  '@group': ({ processes }, _target, _client, friend) => {
    processes.groups.join('friends', friend)
  },
  '@cancel': ({ processes }, target) => processes.cancel(target),
  notice: ({ processes }, target) => processes.send(target, 'notice', { a: 1 }),
  late: () => {},
  tick: () => {}
}

for (const [way, loop] of Object.entries(loops)) {
  t.test(`ends only its own process when a body throws on any topic, in ${way}`, async (t) => {
    const rig = await start(t, {}, { logger: logs('fatal').logger })
    const { peer: calm, target: neighbour } = await joined(t, rig)
    const before = held(rig)
    for (const [topic, trigger] of Object.entries(triggers)) {
      const friend = rig.processes.spawn((self) => self.serve({}))
      const seen: string[] = []
      let client: Pid | undefined
      const target = rig.processes.spawn(async (self) => {
        self.trapLinks = true
        self.link(friend)
        self.monitor(friend)
        self.groups.watch('friends', self.pid)
        await loop(self, (mail) => {
          seen.push(mail.topic)
          if (mail.topic === topic) throw new Error('secret')
          if (mail.topic !== 'ws.join') return
          client = mail.payload.client_pid
          if (topic === 'late') self.sendAfter(1, self.pid, 'late')
          if (topic === 'tick') self.sendEvery(1, self.pid, 'tick')
        })
      })
      const exited = rig.processes.exited(target)
      const peer = await connectTo(t, rig, {
        target_pid: target,
        heartbeat_interval: topic === 'ws.heartbeat' ? 100 : undefined
      })
      if (topic !== 'ws.join') await until(() => client !== undefined)
      trigger(rig, target, { pid: client!, peer }, friend)
      const { reason, error } = await exited
      // A process that was asked to stop ends in order, even if its clean-up throws.
      t.strictSame(
        { reason, message: error?.message },
        { reason: topic === '@cancel' ? 'shutdown' : 'error', message: 'secret' },
        topic
      )
      t.equal(seen.at(-1), topic, `${topic}: no message comes after it`)
      const end = await peer.end()
      if (topic === 'ws.leave') t.equal(end.code, undefined, 'the client had closed')
      else {
        t.strictSame(
          end,
          { code: topic === '@cancel' ? 1000 : 1011, reason: 'target process exited' },
          `${topic}: the close that the client sees`
        )
      }
      rig.processes.exit(friend)
      calm.text(topic)
      await until(() => neighbour.texts.at(-1) === topic)
      await letsGo(rig, before)
    }
  })
}

const later = async (): Promise<void> => {
  await new Promise((resolve) => { setImmediate(resolve) })
}

t.test('ends only its own process when a body throws before, in or after its loop', async (t) => {
  const boom = new Error('secret')
  const bodies: Array<[when: string, body: Body, asked?: boolean]> = [
    [
      'at once',
      () => {
        throw boom
      }
    ],
    [
      'at once, asynchronously',
      async () => {
        throw boom
      }
    ],
    [
      'in a later turn',
      async () => {
        await later()
        throw boom
      }
    ],
    [
      'in a promise that a timer rejects',
      async () => {
        await new Promise((_resolve, reject) => {
          setTimeout(reject, 1, boom)
        })
      }
    ],
    [
      'beside its loop',
      async (self) => {
        const taken = new Promise<void>((resolve) => {
          self
            .serve({
              'ws.join': () => {
                resolve()
              }
            })
            .catch(() => {})
        })
        await taken.then(later)
        throw boom
      }
    ],
    [
      'after its loop',
      async (self) => {
        for await (const { topic } of self.inbox) if (topic === 'ws.join') break
        throw boom
      }
    ],
    [
      'after its service',
      async (self) => {
        await self.serve({ 'ws.join': () => self.stop() }).catch(() => {})
        throw boom
      }
    ],
    [
      'in its clean-up',
      async (self) => {
        try {
          await self.receive()
          await self.receive()
        } finally {
          // eslint-disable-next-line no-unsafe-finally
          throw boom
        }
      },
      true
    ],
    [
      'what is no error: undefined',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw undefined
      }
    ],
    [
      'what is no error: null',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw null
      }
    ],
    [
      'what is no error: a string',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw 'secret'
      }
    ],
    [
      'what is no error: a symbol',
      () => {
        throw Symbol('secret')
      }
    ],
    [
      'what cannot be looked at',
      () => {
        throw new Proxy(
          {},
          {
            get () {
              throw boom
            },
            has () {
              throw boom
            },
            getPrototypeOf () {
              throw boom
            }
          }
        )
      }
    ],
    [
      'what cannot be looked at, in its clean-up',
      async (self) => {
        await self.serve({})
        throw new Proxy(
          {},
          {
            getPrototypeOf () {
              throw boom
            }
          }
        )
      },
      true
    ],
    [
      'an error without a name, in its clean-up',
      async (self) => {
        await self.serve({})
        throw Object.defineProperty(new Error('x'), 'name', {
          get () {
            throw boom
          }
        })
      },
      true
    ],
    [
      'an error that cannot be read',
      () => {
        throw Object.defineProperty(new Error('x'), 'message', {
          get () {
            throw boom
          }
        })
      }
    ],
    [
      'an error that calls itself otherwise',
      () => {
        throw Object.assign(new Error('secret'), { reason: 'normal', code: 1000, name: 'normal' })
      }
    ],
    [
      'an error that is the cause of itself',
      () => {
        const error = new Error('secret')
        error.cause = error
        throw error
      }
    ]
  ]
  const ended: Array<Promise<{ reason: string }>> = []
  const rig = await start(t, {}, { logger: logs('trace').logger }, (app) => {
    bodies.forEach(([, body], i) => {
      // In the same turn as the spawn: the client has joined when the body starts.
      app.get(`/${i}`, (_, reply) => {
        const pid = app.processes.spawn(body, { name: `body-${i}` })
        ended[i] = app.processes.exited(pid)
        reply.relay(pid).send()
      })
    })
  })
  const { peer: calm, target: neighbour } = await joined(t, rig)
  const before = held(rig)
  for (const [i, [when, body, asked]] of bodies.entries()) {
    // A body that does not use `self` has not received the join.
    const code = asked === true ? 1000 : body.toString().includes('self.') ? 1011 : 1013
    const peer = await connectTo(t, rig, `/${i}`)
    if (asked === true) rig.processes.cancel(`body-${i}`)
    t.equal((await ended[i]).reason, asked === true ? 'shutdown' : 'error', when)
    t.strictSame(
      await peer.end(),
      { code, reason: 'target process exited' },
      `${when}: the close that the client sees`
    )
    calm.text(when)
    await until(() => neighbour.texts.at(-1) === when)
    await letsGo(rig, before)
  }
  t.equal(rig.processes.stats().exited.error, bodies.filter(([, , asked]) => asked !== true).length)
})

t.test('closes ten clients of each of 100 bodies that throw in one turn', async (t) => {
  const rig = await start(t, {}, { logger: logs('fatal').logger })
  const before = held(rig)
  const targets = Array.from({ length: 100 }, () =>
    rig.processes.spawn((self) =>
      self.serve({
        notice: () => {
          throw new Error('secret')
        }
      } as object)
    )
  )
  const peers = []
  for (const pid of targets) {
    peers.push(
      ...await Promise.all(Array.from({ length: 10 }, () => connectTo(t, rig, { target_pid: pid })))
    )
  }
  for (const pid of targets) rig.processes.send(pid, 'notice')
  const ends = await Promise.all(peers.map((peer) => peer.end()))
  t.ok(ends.every(({ code, reason }) => code === 1011 && reason === 'target process exited'))
  await allGone(rig)
  await letsGo(rig, before)
  t.strictSame(rig.processes.stats().exited, { error: 100, target_down: 1000 })
  const again = new Keeper(rig)
  await joined(t, rig, {}, again)
})
