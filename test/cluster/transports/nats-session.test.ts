import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect, createInbox, headers } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import { fillsUp } from './flow.js'
import { natsServer, type EngineServer } from '../fixtures/servers.js'
import { missing } from '../../installed.js'
import type { Session } from '../../../lib/cluster/transports/session.js'
import { dialNats } from '../../../lib/cluster/transports/nats-session.js'

const skip = missing('nats-server')
const load = async () => ({ connect, createInbox, headers, jetstream, jetstreamManager, Kvm })

async function dial (t: Test, server: EngineServer, deliver = (): void => {}): Promise<Session> {
  const session = await dialNats({ servers: `127.0.0.1:${server.port}` }, 'fwr', 1, load)(deliver, new AbortController().signal)
  t.teardown(() => session.close())
  return session
}

t.test('no more than 16 MiB are under way; what the server has seen makes room', { skip }, async (t) => {
  await fillsUp(t, await dial(t, await natsServer(t)))
})

t.test('it is lost with its server; what waits is told, and nothing is thrown', { skip }, async (t) => {
  const server = await natsServer(t)
  const session = await dial(t, server)
  const answer = t.rejects(session.flush().then(() => session.flush()).then(() => { throw new Error('the server is gone') }))
  await Promise.all([server.kill(), session.lost])
  await answer
  await t.rejects(session.cas('k', new Uint8Array(1), 0))
  await session.close()
  t.equal(session.maxFrame, 1024 * 1024)
})

t.test('a dial that was given up opens nothing', { skip }, async (t) => {
  const server = await natsServer(t)
  await t.rejects(dialNats({ servers: `127.0.0.1:${server.port}` }, 'fwr', 1, load)(() => {}, AbortSignal.abort()))
})
