import { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { routeIfKnown } from '../../lib/upgrade/route-probe.js'
import type { Routing } from '../../lib/upgrade/route-probe.js'

/** What a routing function does to a request, and what becomes of it. */
function probe (routing: Routing) {
  const socket = new PassThrough()
  const request = Object.assign(new IncomingMessage(socket as never), { method: 'GET', url: '/' })
  request.headers.connection = 'Upgrade'
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  const run = () => routeIfKnown(routing, request, response, socket)
  const isWhole = () => request.method === 'GET' && request.headers.connection === 'Upgrade' &&
    'value' in Object.getOwnPropertyDescriptor(request, 'method')! && 'value' in Object.getOwnPropertyDescriptor(request.headers, 'connection')!
  return { run, isWhole, response }
}

t.test('a request whose header is read after one look at its method has a route', async (t) => {
  const seen: unknown[] = []
  const { run, isWhole, response } = probe((request, response) => {
    seen.push(request.method, response.socket, request.headers.connection, response.socket !== null, request.method)
  })
  t.equal(run(), true)
  t.strictSame(seen, ['GET', null, 'Upgrade', true, 'GET'])
  t.ok(isWhole())
  t.ok(response.socket)
})

t.test('a request whose method is looked at twice has none, and is routed no further', async (t) => {
  const { run, isWhole, response } = probe((request) => {
    t.equal(request.method, 'GET')
    t.notOk(request.method, 'not reached')
  })
  t.equal(run(), false)
  t.ok(isWhole())
  t.equal(response.socket, null)
})

t.test('a request that is routed later is as any other', async (t) => {
  const { run, isWhole, response } = probe(() => {})
  t.equal(run(), true)
  t.ok(isWhole())
  t.ok(response.socket)
})

t.test('an error of the router goes on', async (t) => {
  const { run, isWhole } = probe(() => { throw new Error('boom') })
  t.throws(run, { message: 'boom' })
  t.ok(isWhole())
})
