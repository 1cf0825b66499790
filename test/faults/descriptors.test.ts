// A server in a separate process that runs out of file descriptors. It refuses clients, keeps its
// connections, and works as before when descriptors are free again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import t from 'tap'
import { Raw, frame, handshake, until } from '../helpers.js'
import { program } from '../program.js'
import type { Socket } from 'node:net'

const limit = 256
/** Milliseconds after which a resource that is still held counts as leaked. */
const patience = 30_000

/** The test reads the server's descriptors in `/proc`. */
const skip = process.platform !== 'linux' && 'counts descriptors as Linux does'

t.test(
  `refuses some of 300 clients and keeps the others with ${limit} descriptors`,
  { skip },
  async (t) => {
    const command = `ulimit -n ${limit}; exec env -u NODE_OPTIONS -u NODE_V8_COVERAGE "$0" "$@"`
    const child = spawn(
      'bash',
      ['-c', command, process.execPath, ...program('test/faults/fixtures/server.ts')],
      { stdio: ['pipe', 'pipe', 'inherit'] }
    )
    t.teardown(() => {
      child.kill('SIGKILL')
    })
    let exit: unknown
    child.once('exit', (code, signal) => {
      exit = code ?? signal
    })
    const [line] = await once(createInterface(child.stdout), 'line')
    const port = Number(/^port (\d+)$/.exec(line)![1])

    const open = async (): Promise<Raw & { socket: Socket }> => {
      const socket = connect({ port, host: '127.0.0.1' })
      t.teardown(() => {
        socket.destroy()
      })
      const client = new Raw(socket)
      // Without a descriptor, the kernel may have accepted the connection already, or not.
      await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
      return client as Raw & { socket: Socket }
    }
    const isUp = ({ text }: Raw): boolean => text.startsWith('HTTP/1.1 101 ')
    const join = async (): Promise<Raw & { socket: Socket }> => {
      const client = await open()
      client.write(handshake())
      await until(() => isUp(client) || client.socket.closed || client.socket.readableEnded)
      return client
    }
    const heldNow = async (): Promise<{ processes: number, descriptors: number }> =>
      (await (await fetch(`http://127.0.0.1:${port}/held`)).json()) as {
        processes: number
        descriptors: number
      }

    const before = await heldNow()
    for (let round = 1; round <= 2; round++) {
      const clients = await Promise.all(Array.from({ length: 300 }, join))
      const [up, away] = [clients.filter(isUp), clients.filter((client) => !isUp(client))]
      t.ok(up.length > 100 && up.length < limit, `${up.length} clients are connected`)
      t.ok(away.length >= 300 - limit, `${away.length} clients were refused`)
      t.ok(
        away.every(({ text }) => text === ''),
        'without a response'
      )
      t.equal(exit, undefined, 'the server is running')

      // Connected clients are served while no descriptor is free.
      await Promise.all(
        up.map(async (client, i) => {
          client.write(frame(`${round}-${i}`))
          await client.until(new RegExp(`${round}-${i}$`))
        })
      )
      const [first] = up.splice(0, 1)
      first.socket.destroy()
      await once(first.socket, 'close')

      // One free descriptor lets one client connect.
      let next = await join()
      while (!isUp(next)) next = await join()
      t.pass('one that leaves makes room for one')
      for (const client of [...up, next]) client.socket.destroy()
      let held = { processes: Infinity, descriptors: Infinity }
      const begun = performance.now()
      // Node itself may use fewer descriptors by then.
      const isLeft = (): boolean => {
        return held.processes > before.processes || held.descriptors > before.descriptors
      }
      while (isLeft() && performance.now() - begun < patience) {
        held = await heldNow().catch(() => held)
      }
      t.notOk(isLeft(), `all descriptors are released: ${JSON.stringify({ before, held })}`)
    }
  }
)
