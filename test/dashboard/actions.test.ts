import t from 'tap'
import { once } from 'node:events'
import { listen, logs, open, record } from '../helpers.js'
import { buildDashboard, openPage } from './support.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Action } from '../../lib/dashboard/index.js'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'

const all: Action[] = ['close', 'exit', 'cancel', 'transfer', 'send']

async function victim (self: Process): Promise<void> {
  await self.serve({})
}

/** The requests of all actions, for a process and a connection. */
function requests (pid: string, connection: string): Array<{ action: Action, id: number }> {
  return [
    { action: 'close', pid: connection },
    { action: 'exit', pid },
    { action: 'cancel', pid },
    { action: 'transfer', pid: connection, target: 'other' },
    { action: 'send', pid, topic: 'notice', payload: { text: 'hello' } }
  ].map((request, id) => ({ ...request, id } as { action: Action, id: number }))
}

function connectionOf (app: FastifyInstance, target: Pid): Pid {
  return app.processes.list().find((pid) => app.processes.info(pid)?.target === target)!
}

/** A page, two targets, and a route that leads to the first one. */
async function buildActions (t: Test, actions: Action[] | false) {
  const log = logs()
  const app = await buildDashboard(t, { actions }, {}, { logger: log.logger })
  const [first, other] = [record(app, 'first'), record(app, 'other')]
  app.get('/ws', (request, reply) => { reply.relay('first').send() })
  const port = await listen(app)
  return { ...log, app, port, first, other, page: await openPage(t, port) }
}

t.test('does nothing unless an action is enabled, whatever else is', async (t) => {
  for (const action of all) {
    const enabled = all.filter((other) => other !== action)
    const { app, page, lines } = await buildActions(t, enabled)
    const pid = app.processes.spawn(victim)
    t.strictSame((await page.next('hello')).actions, enabled)
    const request = requests(pid, pid).find((one) => one.action === action)!
    page.ask(request)
    t.strictSame(await page.next('problem'), {
      id: request.id,
      code: 'FST_WS_RELAY_ACTION_OFF',
      message: `The action '${action}' is not enabled on this dashboard`
    })
    t.equal(app.processes.alive(pid), true)
    t.notOk(lines.some(({ action }) => action !== undefined), 'nothing was done')
  }
})

t.test('does nothing by default', async (t) => {
  const { app, page } = await buildActions(t, false)
  const pid = app.processes.spawn(victim)
  for (const request of requests(pid, pid)) {
    page.ask(request)
    t.match(await page.next('problem'), { id: request.id, code: 'FST_WS_RELAY_ACTION_OFF' })
  }
  t.equal(app.processes.alive(pid), true)
})

t.test('does each action that is enabled, and logs it with the id of the request', async (t) => {
  const { app, page, lines, first, other, port } = await buildActions(t, all)
  const client = await open(t, `ws://127.0.0.1:${port}/ws`)
  await first.next('ws.join')
  const connection = connectionOf(app, first.pid)
  const [toExit, toCancel] = [app.processes.spawn(victim), app.processes.spawn(victim)]
  const act = async (request: { action: Action, [field: string]: unknown }): Promise<void> => {
    const id = `of ${request.action}`
    page.ask({ id, ...request } as never)
    t.strictSame(await page.next('acted'), { id, action: request.action, ok: true })
    const line = lines.find((one) => one.action === request.action)!
    const { payload, ...fields } = request
    t.match(line, { level: 30, msg: 'did an action of the dashboard', ok: true, ...fields })
    t.match(line.reqId, /^req-/)
    t.notOk('payload' in line, 'a payload may contain anything')
  }
  await act({ action: 'send', pid: other.pid, topic: 'notice', payload: { text: 'hello' } })
  t.strictSame(await other.next('notice'), { text: 'hello' })
  await act({ action: 'transfer', pid: connection, target: 'other' })
  t.match(await other.next('ws.join'), { client_pid: connection })
  const exits = [toExit, toCancel].map((pid) => app.processes.exited(pid))
  await act({ action: 'exit', pid: toExit, reason: 'had enough' })
  await act({ action: 'cancel', pid: toCancel })
  t.match(await Promise.all(exits), [{ reason: 'had enough' }, { reason: 'shutdown' }])
  t.match(app.processes.explain(toExit)!.chain[0].by, /@local/, 'explain names the viewer')
  const closed = once(client, 'close')
  await act({ action: 'close', pid: connection, code: 4001, reason: 'bye' })
  const [code, reason] = await closed
  t.strictSame([code, String(reason)], [4001, 'bye'])
})

t.test('closes and transfers no connection by send, unless that is enabled as well', async (t) => {
  const topics: Array<[string, Action]> = [['ws.close', 'close'], ['ws.control', 'transfer']]
  for (const [topic, needed] of topics) {
    for (const actions of [all.filter((one) => one !== needed), ['send', needed] as Action[]]) {
      const { app, page, first, other, port } = await buildActions(t, actions)
      const client = await open(t, `ws://127.0.0.1:${port}/ws`)
      await first.next('ws.join')
      const connection = connectionOf(app, first.pid)
      const payload = topic === 'ws.close' ? { code: 4001 } : { target_pid: other.pid }
      page.ask({ action: 'send', id: 1, pid: connection, topic, payload })
      if (actions.length > 2) {
        t.match(await page.next('problem'), {
          id: 1, code: 'FST_WS_RELAY_ACTION_OFF', message: new RegExp(`'${needed}'`)
        })
        t.equal(app.processes.info(connection)?.target, first.pid)
      } else if (topic === 'ws.close') t.equal((await once(client, 'close'))[0], 4001)
      else t.match(await other.next('ws.join'), { client_pid: connection })
    }
  }
})

t.test('says why an action failed', async (t) => {
  const { app, page, first, lines, port } = await buildActions(t, all)
  await open(t, `ws://127.0.0.1:${port}/ws`)
  await first.next('ws.join')
  const connection = connectionOf(app, first.pid)
  const failing: Array<[object, RegExp]> = [
    [{ action: 'exit', pid: 'nobody' }, /not alive, or it refused/],
    [{ action: 'cancel', pid: 'nobody' }, /not alive/],
    [{ action: 'send', pid: 'nobody', topic: 'notice' }, /not alive/],
    [{ action: 'send', pid: first.pid, topic: '@exit' }, /Invalid topic '@exit'/],
    [{ action: 'close', pid: 'nobody' }, /Process 'nobody' is not alive/],
    [{ action: 'transfer', pid: connection, target: 'nobody' }, /cannot be transferred/]
  ]
  for (const [request, message] of failing) {
    page.ask({ id: 1, ...request })
    t.match(await page.next('acted'), { id: 1, ok: false, message })
  }
  t.equal(lines.filter(({ action }) => action !== undefined).length, failing.length)
  t.equal(app.processes.alive(connection), true)
})
