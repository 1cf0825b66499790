// A client that disconnects after any byte of its handshake or of its first frames.
import { once } from 'node:events'
import t from 'tap'
import { Keeper, closeOf, frameOf, start, textOf } from '../integration/connection/support.js'
import { opcodes } from '../../lib/websocket/frames.js'
import { handshake, raw, until } from '../helpers.js'
import { held, letsGo } from '../abuse/support.js'
import type { Socket } from 'node:net'

/** A test whose clients close by themselves. */
const quiet = { teardown () {} } as never

const frames = [
  textOf('hello'),
  frameOf(opcodes.ping, 'p'),
  frameOf(opcodes.text, 'one ', { fin: false, mask: 7 }),
  frameOf(opcodes.continuation, 'two'),
  closeOf(4000, 'bye')
]

/** The messages that the target has received after this many bytes of the frames. */
const deliveries: Array<[bytes: number, message: string]> = [
  [frames[0].length, 'hello'],
  [Buffer.concat(frames.slice(0, 4)).length, 'one two']
]

for (const [how, leave] of Object.entries({
  reset: (socket: Socket) => { socket.resetAndDestroy() },
  ended: (socket: Socket) => { socket.end() }
})) {
  for (const atWork of [false, true]) {
    t.test(
      `cleans up when a client has ${how} at any byte${atWork ? ', while the handler is running' : ''}`,
      async (t) => {
        const aborted: string[] = []
        const answered: string[] = []
        const rig = await start(t, {}, {}, (app) => {
          app.addHook('onRequestAbort', async (request) => {
            aborted.push(request.id)
          })
          app.addHook('onResponse', async (request) => {
            answered.push(request.id)
          })
          app.get('/target', async (_, reply) => {
            if (atWork) await once(reply.raw.socket!, 'close')
            return reply.relay('target').send()
          })
        })
        const target = new Keeper(rig, { monitors: false })
        rig.processes.names.register('target', target.pid)
        const sockets = new Map<number | undefined, Socket>()
        rig.app.server.on('connection', (socket) => {
          sockets.set(socket.remotePort, socket)
        })
        const before = held(rig)
        const request = Buffer.from(handshake('/target'))
        const bytes = Buffer.concat([request, ...frames])
        let joined = 0
        for (let count = 0; count <= bytes.length; count++) {
          const { mail } = target
          mail.length = 0
          const { socket } = await raw(quiet, rig.port)
          await until(() => sockets.has(socket.localPort))
          const server = sockets.get(socket.localPort)!
          socket.write(bytes.subarray(0, count))
          // The server has read all bytes; it may not have parsed them yet.
          await until(() => server.bytesRead === count)
          leave(socket)
          if (how === 'ended') socket.resume()
          await until(() => server.closed)
          await until(
            () => rig.relay.connections.size === 0 && rig.processes.info(target.pid)!.mailbox === 0
          )
          sockets.clear()

          const topics = mail.map(({ topic }) => topic)
          const behind = count - request.length
          if (topics.length === 0) {
            if (behind >= 0 && !atWork) t.fail(`byte ${count}: no join`)
            continue
          }
          joined++
          const texts = deliveries.filter(([least]) => behind >= least).map(([, text]) => text)
          const last = behind >= Buffer.concat(frames).length ? 'client' : 'lost'
          if (behind < 0) t.fail(`byte ${count}: a join`)
          if (topics[0] !== 'ws.join' || topics.indexOf('ws.leave') !== topics.length - 1) {
            t.fail(`byte ${count}: ${topics}`)
          }
          t.strictSame(target.texts, texts, `byte ${count} of ${bytes.length}: the messages`)
          t.equal(target.of('ws.leave')[0].cause, last)
        }
        await letsGo(rig, before)
        t.equal(joined, atWork ? 0 : bytes.length - request.length + 1)
        // Each time the request of the handler is aborted.
        await until(() => aborted.length >= (atWork ? bytes.length - request.length + 1 : 0))
        t.equal(
          new Set([...aborted, ...answered]).size,
          aborted.length + answered.length,
          'no request was both answered and aborted'
        )
        t.comment(
          `${bytes.length + 1} connections, of which ${joined} joined; ` +
            `${aborted.length} requests aborted`
        )
      }
    )
  }
}
