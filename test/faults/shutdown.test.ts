// app.close() at every point of a connection's life. It always resolves. The client is told that
// the server is going away, and no resource is left.
import { once } from 'node:events'
import t from 'tap'
import { Keeper, closeOf, frameOf, start, textOf } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { opcodes } from '../../lib/websocket/frames.js'
import { handshake, raw, until } from '../helpers.js'
import { held, letsGo } from '../abuse/support.js'
import type { Socket } from 'node:net'
import type { Raw } from '../helpers.js'
import type { Peer } from '../integration/connection/peer.js'
import type { Rig } from '../integration/connection/support.js'
import type { WsRelayOptions } from '../../types/relay.js'

interface Scene extends Rig {
  target: Keeper
  /** The server's side of each socket. */
  servers: Socket[]
  client (): Promise<Raw & { socket: Socket }>
  join (): Promise<Peer>
}

interface Point {
  name: string
  /** Brings a client to this point. @returns the bytes it received, when its socket has ended */
  reach (scene: Scene): Promise<() => Promise<string>>
  gets: RegExp
  /** The expected `ws.leave` of the target. */
  leaves?: object[]
  options?: WsRelayOptions
}

const request = (path: string): string => handshake(path)
const closing = /^HTTP\/1\.1 503 [^]*retry-after: 5[^]*FST_WS_RELAY_CLOSING/
const goingAway = /^1001 server shutting down$/
const shutdown = [{ cause: 'shutdown', code: 1001, reason: 'server shutting down' }]

/** The close that a peer saw, in one line. */
const seen = (peer: Peer) => async (): Promise<string> => {
  const { code, reason } = await peer.end()
  return `${code} ${reason}`.trim()
}

/** The response to a raw client. */
const text = (client: Raw) => async (): Promise<string> => await client.end()

/** A raw client that has written part of its handshake. HTTP waits for the rest, so it leaves. */
async function written (scene: Scene, bytes: string): Promise<() => Promise<string>> {
  const client = await scene.client()
  client.write(bytes)
  await until(() => scene.servers.length === 1 && scene.servers[0].bytesRead === bytes.length)
  return async () => {
    client.socket.destroy()
    return client.text
  }
}

/** A client whose hook or handler waits until the server closes. */
async function inside (scene: Scene, path: string): Promise<() => Promise<string>> {
  const client = await scene.client()
  const begun = once(scene.app.server, 'reached')
  client.write(request(path))
  await begun
  return text(client)
}

/** A joined client that has taken one more step. */
const joinedAnd = (
  more: (peer: Peer, scene: Scene) => unknown
) => async (scene: Scene): Promise<() => Promise<string>> => {
  const peer = await scene.join()
  await more(peer, scene)
  return seen(peer)
}

const points: Point[] = [
  { name: 'connected, and silent', reach: async (scene) => await written(scene, ''), gets: /^$/ },
  {
    name: 'in the middle of its request line',
    reach: async (scene) => await written(scene, 'GET /rel'),
    gets: /^$/
  },
  {
    name: 'in the middle of its headers',
    reach: async (scene) => await written(scene, request('/relay').slice(0, 60)),
    gets: /^$/
  },
  {
    name: 'in an onRequest hook',
    reach: async (scene) => await inside(scene, '/onRequest'),
    gets: closing
  },
  {
    name: 'in a preHandler hook',
    reach: async (scene) => await inside(scene, '/preHandler'),
    gets: closing
  },
  {
    name: 'in its handler',
    reach: async (scene) => await inside(scene, '/handler'),
    gets: closing
  },
  {
    name: 'in an onSend hook',
    reach: async (scene) => await inside(scene, '/onSend'),
    gets: /^HTTP\/1\.1 503 [^]*retry-after: 5/
  },
  {
    name: 'in a handler that will never reply',
    reach: async (scene) => await inside(scene, '/never'),
    gets: closing
  },
  {
    name: 'in the turn of its handshake',
    reach: async (scene) => {
      const client = await scene.client()
      scene.app.server.once('upgrade', () => {
        scene.app.close()
      })
      client.write(request('/relay'))
      await until(() => scene.relay.closing)
      client.write(closeOf(1001))
      return text(client)
    },
    gets: /^HTTP\/1\.1 (?:503|101) /
  },
  {
    name: 'in the turn of its 101',
    reach: async (scene) => {
      const client = await scene.client()
      client.write(request('/closes'))
      await until(() => scene.relay.closing)
      client.write(closeOf(1001))
      return text(client)
    },
    gets: /^HTTP\/1\.1 (?:503|101) /,
    leaves: []
  },
  { name: 'joined, and silent', reach: joinedAnd(() => {}), gets: goingAway, leaves: shutdown },
  {
    name: 'in the middle of a frame',
    reach: joinedAnd(async (peer, { servers }) => {
      const { bytesRead } = servers[0]
      peer.write(textOf('hello').subarray(0, 7))
      await until(() => servers[0].bytesRead > bytesRead)
    }),
    gets: /^1001/,
    leaves: shutdown
  },
  {
    name: 'in the middle of a fragmented message',
    reach: joinedAnd(async (peer) => {
      peer.write(frameOf(opcodes.text, 'one', { fin: false }), frameOf(opcodes.ping))
      await until(() => peer.count(opcodes.pong) === 1)
    }),
    gets: goingAway,
    leaves: shutdown
  },
  {
    name: 'paused, with frames that wait',
    reach: joinedAnd(async (peer, { target, processes }) => {
      target.hold()
      peer.write(...Array.from({ length: 100 }, (_, i) => textOf(`${i}`)))
      await until(() => processes.list().some((pid) => processes.info(pid)!.paused === true))
      target.release()
    }),
    options: { mailboxLimit: 10 },
    gets: goingAway,
    leaves: shutdown
  },
  {
    name: 'with frames that wait for it',
    reach: joinedAnd((_peer, { processes, target }) => {
      for (let i = 0; i < 100; i++) {
        processes.send(target.of('ws.join')[0].client_pid, 'ws.send', { data: `${i}` })
      }
    }),
    gets: goingAway,
    leaves: shutdown
  },
  {
    name: 'that never reads',
    reach: joinedAnd((peer, { processes, target }) => {
      peer.socket.pause()
      processes.send(target.of('ws.join')[0].client_pid, 'ws.send', {
        data: Buffer.alloc(8_000_000)
      })
      setImmediate(() =>
        setImmediate(() => {
          peer.socket.destroy()
        })
      )
    }),
    gets: /^1006$/,
    leaves: shutdown
  },
  {
    name: 'that never answers a close frame',
    reach: joinedAnd((peer) => {
      peer.answersClose = false
    }),
    gets: goingAway,
    leaves: shutdown,
    options: { closeTimeout: 200 }
  },
  {
    name: 'closing, by the client',
    reach: joinedAnd((peer) => {
      peer.close(4000, 'bye')
    }),
    gets: /^(?:4000|1001 server shutting down)$/
  },
  {
    name: 'closing, by its target',
    reach: joinedAnd((peer, { processes, target }) => {
      peer.answersClose = false
      processes.send(target.of('ws.join')[0].client_pid, 'ws.close', { code: 4000 })
    }),
    gets: /^4000$/,
    leaves: [{ cause: 'process', code: 4000 }],
    options: { closeTimeout: 200 }
  },
  {
    name: 'closing, by its target, in the same turn',
    reach: joinedAnd((_peer, { processes, target }) => {
      processes.send(target.of('ws.join')[0].client_pid, 'ws.close', { code: 4000 })
    }),
    gets: /^4000$/,
    leaves: [{ cause: 'process', code: 4000 }]
  },
  {
    name: 'whose socket is reset in the same turn',
    reach: joinedAnd((peer) => {
      peer.rst()
    }),
    gets: /^1006$/
  },
  {
    name: 'whose target exits in the same turn',
    reach: joinedAnd((_peer, { processes, target }) => {
      processes.exit(target.pid, 'boom')
    }),
    gets: /^1011 target process exited$/,
    leaves: []
  },
  {
    name: 'that has just been transferred',
    reach: joinedAnd((_peer, scene) => {
      const next = new Keeper(scene)
      scene.processes.send(scene.target.of('ws.join')[0].client_pid, 'ws.control', {
        target_pid: next.pid
      })
    }),
    gets: goingAway,
    leaves: [{ cause: 'transfer' }]
  },
  {
    name: 'whose target does not end',
    reach: joinedAnd(async (_peer, { target }) => {
      target.hold()
    }),
    gets: goingAway,
    options: { closeTimeout: 200 }
  }
]

/** Waits at one point until the server closes, or for ever. */
function routes (target: () => Keeper) {
  return (app: Rig['app']): void => {
    let closes = (): void => {}
    const closed = new Promise<void>((resolve) => { closes = resolve })
    app.addHook('preClose', async () => { closes() })
    const wait = async (): Promise<void> => {
      app.server.emit('reached')
      await closed
    }
    const relay = async (
      _: unknown, reply: { relay: (pid: string) => { send: () => unknown } }
    ): Promise<unknown> => reply.relay(target().pid).send()
    app.get('/relay', relay as never)
    for (const hook of ['onRequest', 'preHandler', 'onSend'] as const) {
      app.get(`/${hook}`, { [hook]: wait }, relay as never)
    }
    app.get('/handler', async (_, reply) => {
      await wait()
      return reply.relay(target().pid).send()
    })
    app.get('/never', async () => {
      app.server.emit('reached')
      await new Promise(() => {})
    })
    app.get('/closes', (_, reply) => {
      reply.relay(target().pid).send()
      app.close()
    })
  }
}

for (const { name, reach, gets, leaves, options } of points) {
  t.test(`closes with a client ${name}`, async (t) => {
    const servers: Socket[] = []
    const cast: { target?: Keeper } = {}
    const rig = await start(
      t,
      { closeTimeout: '20s', ...options },
      { forceCloseConnections: 'idle' },
      routes(() => cast.target!)
    )
    rig.app.server.on('connection', (socket) => { servers.push(socket) })
    const before = held(rig)
    const target = cast.target = new Keeper(rig, { monitors: false })
    const scene: Scene = Object.assign(rig, {
      target,
      servers,
      client: async () => await raw(t, rig.port),
      async join () {
        const peer = await connectTo(t, rig, { target_pid: target.pid })
        await target.until('ws.join')
        return peer
      }
    })
    const end = await reach(scene)
    const closed = rig.app.close()
    t.match(await end(), gets, 'the client')
    await closed
    if (leaves !== undefined) t.match(target.of('ws.leave'), leaves, 'the target')
    t.equal(
      target.of('ws.leave').length <= target.of('ws.join').length,
      true,
      'at most one leave per join'
    )
    t.strictSame(rig.processes.list(), [], 'no process')
    await letsGo(rig, { ...before, listeners: Infinity })
    t.throws(() => rig.processes.spawn(() => {}), { code: 'FST_PROCESS_CLOSING' })
  })
}
