// Socket.IO with connection state recovery, as in its documentation. The packages are in
// bench/peers. The server emits to a room of each client, because only such packets are stored for
// clients that are away.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { peersFolder } from '../rig/machine.js'
import type { Side } from './sides.js'

/** As much of the packages as is used here. The repository does not have them, nor their types. */
interface Emitter {
  on (event: string, listener: (data: never) => void): void
  emit (event: string, text: string): void
}
interface ServerSocket extends Emitter {
  handshake: { query: { id: string } }
  join (room: string): void
}
interface Server extends Emitter {
  to (room: string): Emitter
  close (): Promise<void>
}
interface ClientSocket extends Emitter {
  recovered: boolean
  close (): void
}

const require = createRequire(join(peersFolder, 'package.json'))

export const socketIo: Side = {
  async serve (received) {
    const { Server } = require('socket.io') as {
      Server: new (http: unknown, options: object) => Server
    }
    const http = createServer()
    const io = new Server(http, {
      transports: ['websocket'], serveClient: false, connectionStateRecovery: {}
    })
    io.on('connection', (socket: ServerSocket) => {
      const { id } = socket.handshake.query
      socket.join(id)
      socket.on('up', (text: string) => { received(Number(id), text) })
    })
    await new Promise<void>((resolve) => {
      http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve)
    })
    return {
      port: (http.address() as AddressInfo).port,
      send: (id, text) => { io.to(String(id)).emit('down', text) },
      close: async () => { await io.close() }
    }
  },
  connect (port, id, { opened, received, reset }) {
    const { io } = require('socket.io-client') as {
      io (url: string, options: object): ClientSocket
    }
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'], query: { id }, forceNew: true
    })
    let isFirst = true
    socket.on('connect', () => {
      if (!isFirst && !socket.recovered) reset()
      isFirst = false
      opened()
    })
    socket.on('down', received)
    return {
      send: (text) => { socket.emit('up', text) },
      close: () => { socket.close() }
    }
  }
}
