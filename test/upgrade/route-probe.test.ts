import { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { routeIfKnown } from '../../lib/upgrade/route-probe.js'
import type { Routing } from '../../lib/registration/fastify-websocket.js'

/** Makes a request on a socket; `run` probes it, `isWhole` tells if the probe left no trace. */
function probe (routing: Routing) {
  const socket = new PassThrough()
  const request = Object.assign(new IncomingMessage(socket as never), { method: 'GET', url: '/' })
  request.headers.connection = 'Upgrade'
  const response = new ServerResponse(request)
  response.assignSocket(socket as never)
  const run = () => routeIfKnown(routing, request, response, socket)
  const isWhole = () =>
    request.method === 'GET' &&
    request.headers.connection === 'Upgrade' &&
    'value' in Object.getOwnPropertyDescriptor(request, 'method')! &&
    'value' in Object.getOwnPropertyDescriptor(request.headers, 'connection')!
  return { run, isWhole, response }
}

t.test('finds a route when the header is read after the method was read once', async (t) => {
  const seen: unknown[] = []
  const { run, isWhole, response } = probe((request, response) => {
    seen.push(request.method, response.socket, request.headers.connection)
    seen.push(response.socket !== null, request.method)
  })
  t.equal(run(), true)
  t.strictSame(seen, ['GET', null, 'Upgrade', true, 'GET'])
  t.ok(isWhole())
  t.ok(response.socket)
})

t.test('finds no route when the method is read twice, and stops the routing', async (t) => {
  const { run, isWhole, response } = probe((request) => {
    t.equal(request.method, 'GET')
    t.notOk(request.method, 'the router must stop at the second read')
  })
  t.equal(run(), false)
  t.ok(isWhole())
  t.equal(response.socket, null)
})

t.test('counts a request as routed when the router reads it later', async (t) => {
  const { run, isWhole, response } = probe(() => {})
  t.equal(run(), true)
  t.ok(isWhole())
  t.ok(response.socket)
})

t.test('rethrows an error of the router', async (t) => {
  const { run, isWhole } = probe(() => { throw new Error('boom') })
  t.throws(run, { message: 'boom' })
  t.ok(isWhole())
})
