import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import t from 'tap'
import { offerOf, relayProtocol, takeOffer } from '../../lib/session/offer.js'

const mac = 'abcdefghijklmnopqrstuv'
const token = `node-1.k3x.42.${mac}`
const server = { sessions: { resumes: 0 } }

/** A request with these values of `Sec-WebSocket-Protocol`. */
function requestWith (...values: string[]): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.headers = { host: 'relay.test' }
  if (values.length > 0) request.headers['sec-websocket-protocol'] = values.join(', ')
  request.rawHeaders = ['Host', 'relay.test']
  for (const value of values) request.rawHeaders.push('Sec-WebSocket-Protocol', value)
  return request
}

t.test('leaves a request alone when it has no entry of the protocol', async (t) => {
  for (const values of [[], ['chat, news'], ['my-ws-relay']]) {
    const request = requestWith(...values)
    const before = structuredClone([request.headers, request.rawHeaders])
    takeOffer(request, { get sessions (): never { return t.fail('sessions are made') as never } })
    t.same([request.headers, request.rawHeaders], before)
    t.equal(offerOf(request), undefined)
  }
})

t.test('takes its entries off the headers', async (t) => {
  const request = requestWith(`${relayProtocol}, resume.ws-relay.${token}.7, chat`, 'news')
  takeOffer(request, { sessions: { resumes: 3 } })
  t.equal(request.headers['sec-websocket-protocol'], 'chat, news')
  t.same(request.rawHeaders, [
    'Host', 'relay.test', 'Sec-WebSocket-Protocol', 'chat', 'Sec-WebSocket-Protocol', 'news'
  ])
  t.same(offerOf(request), {
    resume: {
      token: { node: 'node-1', incarnation: 'k3x', serial: '42', mac },
      received: 7
    },
    resumesBefore: 3
  })
})

t.test('removes the header when nothing else was offered', async (t) => {
  const request = requestWith(relayProtocol)
  takeOffer(request, server)
  t.notOk('sec-websocket-protocol' in request.headers)
  t.same(request.rawHeaders, ['Host', 'relay.test'])
  t.same(offerOf(request), { resume: undefined, resumesBefore: 0 })
})

t.test('ignores a token without the protocol, and removes it', async (t) => {
  const request = requestWith(`resume.ws-relay.${token}.0, chat`)
  takeOffer(request, server)
  t.equal(request.headers['sec-websocket-protocol'], 'chat')
  t.equal(offerOf(request), undefined)
})

t.test('takes an offer off a request without raw headers', async (t) => {
  const request = { headers: { 'sec-websocket-protocol': relayProtocol } } as IncomingMessage
  takeOffer(request, server)
  t.same(request.headers, {})
  t.same(offerOf(request), { resume: undefined, resumesBefore: 0 })
})

t.test('tells an entry that cannot be read', async (t) => {
  const entries = [
    'resume.ws-relay.', `resume.ws-relay.${token}`, `resume.ws-relay.${token}.01`,
    `resume.ws-relay.${token}.-1`, `resume.ws-relay.${token}.12345678901234567`,
    `resume.ws-relay.n!.k3x.42.${mac}.0`, `resume.ws-relay.node.k3x.0.${mac}.0`,
    `resume.ws-relay.node.k3x.42.${mac}x.0`,
    `resume.ws-relay.${token}.0, resume.ws-relay.${token}.0`
  ]
  for (const entry of entries) {
    const request = requestWith(`${relayProtocol}, ${entry}`)
    takeOffer(request, server)
    t.same(offerOf(request), { resume: 'malformed', resumesBefore: 0 }, entry)
  }
})
