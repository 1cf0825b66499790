// Examples of docs/operations.md, run as they stand there.
import t from 'tap'
import { once } from 'node:events'
import WebSocket from 'ws'
import { build, listen } from '../helpers.js'
import { run, snippet } from './snippets.js'
import type { Pid } from '../../lib/index.js'

interface Client {
  readonly socket: WebSocket
  send (data: string): boolean
  close (): void
}

type Connect = (url: string, onMessage: (event: { data: string }) => void) => Client

/** Timers that expire only when a test says so. */
class Timers {
  readonly waiting = new Map<number, { task: () => void, delay: number }>()
  #last = 0
  readonly set = (task: () => void, delay: number): number => {
    this.waiting.set(++this.#last, { task, delay })
    return this.#last
  }

  readonly clear = (id: number | undefined): void => { this.waiting.delete(id!) }

  /** Runs the only pending timer. @returns its delay */
  expire (): number {
    const [[id, { task, delay }], ...others] = this.waiting
    if (others.length > 0) throw new Error('more than one timer is pending')
    this.waiting.delete(id)
    task()
    return delay
  }
}

t.test('clients that reconnect', async (t) => {
  const app = await build(t)
  const joined: ((pid: Pid) => void)[] = []
  const target = app.processes.spawn(async (self) => {
    await self.serve({
      'ws.join': ({ client_pid }) => { joined.shift()!(client_pid) },
      'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) }
    })
  })
  app.get('/ws', (request, reply) => { reply.relay(target).send() })
  const url = `ws://127.0.0.1:${await listen(app)}/ws`

  const timers = new Timers()
  const messages: ((text: string) => void)[] = []
  const code = `${await snippet('docs/operations.md', 'Clients that reconnect', 'js')}\nexport { connect }`
  const globals = { WebSocket, setTimeout: timers.set, clearTimeout: timers.clear }
  const { connect } = await run<{ connect: Connect }>(t, code, globals)
  const start = (): Client => {
    const client = connect(url, ({ data }) => { messages.shift()!(data) })
    t.teardown(() => { client.socket.terminate() })
    return client
  }

  /** Waits for the connection. @returns its PID */
  const connected = (client: Client): Promise<Pid> => {
    const pid = new Promise<Pid>((resolve) => { joined.push(resolve) })
    return once(client.socket, 'open').then(() => pid)
  }
  const close = async (client: Client, pid: Pid, code: number): Promise<void> => {
    const closed = once(client.socket, 'close')
    app.processes.send(pid, 'ws.close', { code })
    await closed
  }

  await t.test(
    'reconnects when a room has ended: later each time, and soon again when it was stable',
    async (t) => {
      const client = start()
      t.equal(client.send('too early'), false)
      let pid = await connected(client)
      for (const longest of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
        const answer = new Promise<string>((resolve) => {
          messages.push(resolve)
        })
        t.equal(client.send('hello'), true)
        t.equal(String(await answer), 'hello')
        const { socket } = client
        await close(client, pid, 1000)
        t.equal(client.send('nobody there'), false)
        const delay = timers.expire()
        t.ok(delay >= longest / 4 && delay <= longest, `${delay} ms of ${longest}`)
        t.not(client.socket, socket)
        pid = await connected(client)
      }
      t.equal(timers.expire(), 10_000, 'it is stable')
      await close(client, pid, 1011)
      t.ok(timers.expire() <= 1000)
      pid = await connected(client)
      await close(client, pid, 4001)
      t.equal(timers.waiting.size, 0, 'a code of the application ends it')
    }
  )

  await t.test('does not reconnect when it was closed, whether connected or not', async (t) => {
    const client = start()
    const pid = await connected(client)
    await close(client, pid, 1012)
    t.equal(timers.waiting.size, 1)
    client.close()
    t.equal(timers.waiting.size, 0)

    const other = start()
    await connected(other)
    const closed = once(other.socket, 'close')
    other.close()
    await closed
    t.equal(timers.waiting.size, 0)
  })
})
