// The mail of clients that a process of a key has not taken when it ends in order.
import t from 'tap'
import { deferred } from '../helpers.js'
import { House } from './rooms.js'
import { takeUnreadMail, tookJoin } from '../../../lib/process/exits/unread-joins.js'
import type { Instance } from '../../../lib/process/keyed/instance.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

t.test('hands on messages of clients that wait for their join, and counts all others', async (t) => {
  const house = new House()
  const { runtime } = house
  const busy = deferred()
  house.body = async (self) => {
    await self.serve({
      slow: async () => {
        await busy.promise
        self.stop()
      }
    })
  }
  house.send('slow')
  await house.settle()
  const [{ pid }] = house.rooms
  const [waiting, gone, elsewhere] = ['901@local.1', '902@local.1', '903@local.1'] as Pid[]
  const ends: Array<{ exit: Exit, joined: boolean[], taken: unknown[] }> = []
  runtime.exitSignals.monitor(pid, {
    targetEnded: (exit) => {
      const joined = [waiting, gone, elsewhere].map((client) => tookJoin(exit, client))
      // The third has gone to another process, so its connection does not learn of the exit.
      const taken = [waiting, gone, waiting].map((client) => takeUnreadMail(exit, client))
      ends.push({ exit, joined, taken })
    }
  })
  const instance = runtime.processTable.getEntity(pid) as Instance
  const message = (client: Pid): object => ({ client_pid: client, type: 'text', data: 'hi' })
  for (const client of [waiting, gone, elsewhere]) {
    instance.accept('ws.join', { client_pid: client }, client, 0)
    instance.accept('ws.message', message(client), client, 2)
    instance.deliver('ws.heartbeat', { client_pid: client, uptime: 1 }, client)
  }
  instance.accept('ws.suspend', { client_pid: waiting }, waiting, 0)
  instance.accept('ws.leave', { client_pid: gone }, gone, 0)
  busy.resolve()
  await house.settle()
  const [{ exit, joined, taken }] = ends
  t.equal(exit.reason, 'normal')
  t.strictSame(joined, [false, true, false])
  t.strictSame(taken, [[{ payload: message(waiting), bytes: 2 }], [], []])
  t.equal(house.processes.stats().deadLetters, 11 - 1)
})
