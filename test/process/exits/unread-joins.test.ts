import t from 'tap'
import { recordUnreadJoins, tookJoin } from '../../../lib/process/exits/unread-joins.js'
import { buildRuntime, settle } from '../helpers.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

const [ada, grace] = ['7@a.1', '8@a.1'] as Pid[]

t.test('records unread joins without a visible property on the exit', async (t) => {
  const exit: Exit = { pid: '1@a.1' as Pid, reason: 'normal' }
  t.ok(tookJoin(exit, ada))
  recordUnreadJoins(exit, new Set([ada]))
  t.notOk(tookJoin(exit, ada))
  t.ok(tookJoin(exit, grace))
  recordUnreadJoins(exit)
  t.notOk(tookJoin(exit, grace))
  t.strictSame(Reflect.ownKeys(exit), ['pid', 'reason'])
})

t.test('counts a join as taken when a handler, a loop or a receive has it', async (t) => {
  const bodies: Record<string, [body: (self: Process) => unknown, taken: boolean]> = {
    serve: [(self) => self.serve({}, () => {}), true],
    'a handler that never returns': [
      (self) => self.serve({ 'ws.join': () => new Promise(() => {}) }),
      true
    ],
    loop: [
      async (self) => {
        for await (const { topic } of self.inbox) await new Promise(() => topic)
      },
      true
    ],
    receive: [
      async (self) => {
        await self.receive()
        await new Promise(() => {})
      },
      true
    ],
    'a receive of something else': [(self) => self.receive({ topic: 'other' }), false],
    'a handler of an earlier message that never returns': [
      (self) => self.serve({}, () => new Promise(() => {})),
      false
    ],
    'a body that reads no mail': [() => new Promise(() => {}), false]
  }
  for (const [name, [body, taken]] of Object.entries(bodies)) {
    const { runtime } = buildRuntime()
    const pid = runtime.spawner.spawn(body as never)
    const exited = runtime.exitRequests.exited(pid, undefined)
    await settle()
    const target = runtime.processTable.findEntity(pid) as unknown as {
      accept(topic: string, payload: unknown, from: Pid, bytes: number): void
    }
    if (name.startsWith('a handler of an earlier')) target.accept('ws.message', {}, ada, 0)
    target.accept('ws.join', {}, ada, 0)
    await settle()
    runtime.exitRequests.exit(pid, 'over')
    t.equal(tookJoin(await exited, ada), taken, name)
  }
})
