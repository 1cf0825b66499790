import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Kvm } from '@nats-io/kv'
import { connect, createInbox, headers } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import { fillsUp } from '../flow.js'
import { natsServer, type EngineServer } from '../../fixtures/servers.js'
import { missing } from '../../../installed.js'
import { nodeClock } from '../../../../lib/shared/clock.js'
import type { Session } from '../../../../lib/cluster/engines/session/session.js'
import { dialNats } from '../../../../lib/cluster/engines/nats/nats-session.js'
import type { NatsClient } from '../../../../lib/cluster/engines/nats/nats-client.js'

const skip = missing('nats-server')
const load = async () => ({ connect, createInbox, headers, jetstream, jetstreamManager, Kvm })

async function dial (t: Test, server: EngineServer, deliver = (): void => {}): Promise<Session> {
  const session = await dialNats(
    { servers: `127.0.0.1:${server.port}` },
    'fwr',
    1,
    load
  )(deliver, new AbortController().signal, nodeClock)
  t.teardown(() => session.close())
  return session
}

t.test('accepts at most 16 MiB until the server has read them', { skip }, async (t) => {
  await fillsUp(t, await dial(t, await natsServer(t)))
})

t.test('is lost when its server dies, and rejects pending requests', { skip }, async (t) => {
  const server = await natsServer(t)
  const session = await dial(t, server)
  const answer = t.rejects(
    session
      .flush()
      .then(() => session.flush())
      .then(() => {
        throw new Error('the server is gone')
      })
  )
  await Promise.all([server.kill(), session.lost])
  await answer
  await t.rejects(session.cas('k', new Uint8Array(1), 0))
  await session.close()
  t.equal(session.maxFrame, 1024 * 1024)
})

t.test('opens no socket when the dial was aborted', { skip }, async (t) => {
  const server = await natsServer(t)
  await t.rejects(
    dialNats({ servers: `127.0.0.1:${server.port}` }, 'fwr', 1, load)(
      () => {}, AbortSignal.abort(), nodeClock
    )
  )
})

/** A client of a server whose JetStream creates the bucket when the test says so. */
function electing () {
  const tries: Array<{ resolve (kv: object): void, reject (error: Error): void }> = []
  let tried = (): void => {}
  let connections = 0
  const client = {
    createInbox,
    headers,
    jetstream: () => ({}),
    jetstreamManager: async () => ({}),
    Kvm: class {
      create = async () => await new Promise((resolve, reject) => {
        tries.push({ resolve, reject })
        tried()
      })

      open = async () => ({})
    },
    connect: async () => {
      connections++
      let end = (): void => {}
      const ended = new Promise<void>((resolve) => { end = resolve })
      return {
        status: async function * () { await ended },
        subscribe: () => ({ unsubscribe () {} }),
        publish () {},
        flush: async () => {},
        close: async () => { end() }
      }
    }
  } as unknown as NatsClient
  const dial = dialNats({}, 'fwr', 3, async () => client)
  return {
    tries,
    get connections () { return connections },
    dial: async () => await dial(() => {}, new AbortController().signal, nodeClock),
    /** The next attempt to create the bucket. */
    next: async () => {
      if (tries.length === 0) await new Promise<void>((resolve) => { tried = resolve })
      return tries.shift()!
    }
  }
}

t.test('waits for the register on the first connection', async (t) => {
  const engine = electing()
  const dialled = engine.dial()
  const first = await engine.next()
  first.reject(Object.assign(new Error('no'), { name: 'JetStreamNotEnabled' }))
  await t.rejects(dialled, { code: 'FST_CLUSTER_UNSUPPORTED' })
  const again = engine.dial()
  const second = await engine.next()
  second.resolve({ direct: true })
  await (await again).close()
})

t.test(
  'waits one second for the register on a later connection, then retries until it is lost',
  async (t) => {
    // The timer of a session must not keep the program running.
    const awake = setInterval(() => {}, 60_000)
    t.teardown(() => {
      clearInterval(awake)
    })
    const engine = electing()
    const dialled = engine.dial()
    const first = await engine.next()
    first.resolve({})
    await (await dialled).close()
    const later = engine.dial()
    const pending = await engine.next()
    const session = await later
    t.equal(engine.connections, 2, 'it is there, and the bucket is not')
    pending.reject(new Error('no leader'))
    const retried = await engine.next()
    await session.close()
    retried.reject(new Error('the connection was lost'))
    const third = engine.dial()
    const last = await engine.next()
    last.resolve({})
    await (await third).close()
    t.equal(engine.tries.length, 0, 'a connection that is lost tries nothing more')
  }
)
