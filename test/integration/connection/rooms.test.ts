// README.md, "A process per room": a visitor gets a room even while the old one is ending.
import t from 'tap'
import { connectTo } from './peer.js'
import { start } from './support.js'
import { until } from '../../helpers.js'
import type { Test } from 'tap'
import type { Peer } from './peer.js'
import type { Rig } from './support.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

interface House { rig: Rig, enter (): Promise<Peer>, release (): void, readonly waiting: number }

/** The room of the README. Its message handler and its clean-up wait until `release`. */
async function house (t: Test): Promise<House> {
  const rig = await start(t, { closeTimeout: 100 })
  const { processes } = rig
  const rooms = processes.supervise({ name: 'rooms' })
  const waiting: Array<() => void> = []
  let started = 0
  const pause = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
    })
  }

  async function room (self: Process, title: string): Promise<void> {
    const clients = new Set<Pid>()
    await self.serve({
      'ws.join': ({ client_pid }) => {
        clients.add(client_pid)
        self.send(client_pid, 'ws.send', { data: 'welcome' })
      },
      'ws.message': pause,
      'ws.leave': ({ client_pid }) => {
        clients.delete(client_pid)
        if (clients.size > 0) return
        self.names.unregister(`room:${title}`)
        self.stop()
      }
    })
    await pause()
  }

  return {
    rig,
    async enter () {
      const name = 'room:x'
      if (processes.names.lookup(name) === undefined) {
        rooms.startChild({
          id: `x ${++started}`,
          name,
          start: room,
          args: ['x'],
          restart: 'temporary'
        })
      }
      return await connectTo(t, rig, { target_pid: name })
    },
    release () { for (const resolve of waiting.splice(0)) resolve() },
    get waiting () { return waiting.length }
  }
}

async function welcomed (peer: Peer): Promise<void> {
  await until(() => peer.texts.length > 0)
}

t.test('a visitor gets a new room at once while the old one cleans up', async (t) => {
  const rooms = await house(t)
  for (let i = 0; i < 5; i++) {
    const peer = await rooms.enter()
    await welcomed(peer)
    peer.close(1000)
    await peer.end()
    await until(() => rooms.waiting === i + 1)
  }
  rooms.release()
})

t.test('a visitor whose join a stopping room did not take reconnects to a new room', async (t) => {
  const one = await house(t)
  const first = await one.enter()
  await welcomed(first)
  first.text('store this')
  await until(() => one.waiting === 1)
  first.close(1000)
  await first.end()
  const second = await one.enter()
  one.release()
  await until(() => one.waiting === 1)
  await welcomed(await one.enter())
  one.release()
  t.strictSame(await second.end(), { code: 1013, reason: 'target process exited' })
  await welcomed(await one.enter())
  one.release()
})
