import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { conform } from './conformance.js'
import { documented } from '../fixtures/documented.js'
import { natsServer, silentServer, type EngineServer } from '../fixtures/servers.js'
import { missing } from '../../installed.js'
import { proxy } from '../fixtures/proxy.js'
import { nats, type NatsOptions } from '../../../lib/cluster/engines/nats.js'

const skip = missing('nats-server')
const silent = { state: (): void => {} }

/** A server with a configuration. */
async function configured (t: Test, config: string): Promise<EngineServer> {
  const directory = await mkdtemp(join(tmpdir(), 'nats-config-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  await writeFile(join(directory, 'nats.conf'), config)
  return await natsServer(t, ['-js', '-c', join(directory, 'nats.conf')])
}

t.test(
  'passes the conformance suite with the documented minimal permissions',
  { skip },
  async (t) => {
    const permissions = await documented('authorization {')
    conform(t, async (t) => {
      const server = await configured(t, permissions)
      return {
        ...server,
        connect: () => nats({ servers: `127.0.0.1:${server.port}`, user: 'fwr', pass: 'secret' })
      }
    })
  }
)

async function refused (
  t: Test,
  server: EngineServer,
  options: NatsOptions,
  code: string
): Promise<void> {
  const { transport } = nats({ servers: `127.0.0.1:${server.port}`, ...options })
  t.teardown(() => transport.close())
  await t.rejects(transport.open(silent), { code })
}

t.test(
  'rejects with a coded error when credentials or permissions are wrong',
  { skip },
  async (t) => {
    const permissions = await documented('authorization {')
    const server = await configured(t, permissions)
    await refused(t, server, {}, 'FST_CLUSTER_ACCESS_DENIED')
    await refused(t, server, { user: 'fwr', pass: 'wrong' }, 'FST_CLUSTER_ACCESS_DENIED')
    await refused(
      t,
      server,
      { user: 'fwr', pass: 'secret', prefix: 'other' },
      'FST_CLUSTER_ACCESS_DENIED'
    )
    for (const line of [
      '"fwr.>"',
      '"$JS.API.STREAM.INFO.KV_fwr"',
      '"$JS.API.STREAM.CREATE.KV_fwr"'
    ]) {
      await refused(
        t,
        await configured(t, permissions.replace(line, '')),
        { user: 'fwr', pass: 'secret' },
        'FST_CLUSTER_ACCESS_DENIED'
      )
    }
  }
)

t.test('rejects a subscription without permission', { skip }, async (t) => {
  const server = await configured(t, await documented('authorization {'))
  const { transport } = nats({ servers: `127.0.0.1:${server.port}`, user: 'fwr', pass: 'secret' })
  t.teardown(() => transport.close())
  await transport.open(silent)
  await t.rejects(transport.subscribe('other.x', () => {}), { code: 'FST_CLUSTER_ACCESS_DENIED' })
})

t.test('rejects a server without JetStream', { skip }, async (t) => {
  await refused(t, await natsServer(t, []), {}, 'FST_CLUSTER_UNSUPPORTED')
})

t.test('detects failures that take seconds', { skip, jobs: 2 }, async (t) => {
  t.test(
    'leaves no socket after a failed attempt, and after close, when the server never greets',
    { buffered: true },
    async (t) => {
      const one = async (options: NatsOptions): Promise<void> => {
        const server = await silentServer(t)
        const { transport } = nats({ servers: `127.0.0.1:${server.port}`, ...options })
        t.teardown(() => transport.close())
        const first = server.connection()
        const opening = t.rejects(transport.open(silent), { code: 'FST_CLUSTER_UNAVAILABLE' })
        const forgotten = await first
        const [second] = await Promise.all([server.connection(), once(forgotten, 'close')])
        const ended = once(second, 'close')
        await transport.close()
        await Promise.all([opening, ended])
      }
      await Promise.all([one({}), one({ tls: { handshakeFirst: true } })])
    }
  )

  t.test(
    'reconnects after a reset, and gives up a silent connection',
    { buffered: true },
    async (t) => {
      const server = await natsServer(t)
      const between = await proxy(t, server.port)
      const { transport } = nats({ servers: `127.0.0.1:${between.port}` })
      t.teardown(() => transport.close())
      let next: (up: boolean) => void = () => {}
      const change = async (): Promise<boolean> =>
        await new Promise((resolve) => {
          next = resolve
        })
      await transport.open({
        state: (up) => {
          next(up)
        }
      })
      let changed = change()
      between.mode = 'refuse'
      between.reset()
      t.equal(await changed, false)
      changed = change()
      between.mode = 'pass'
      t.equal(await changed, true)
      changed = change()
      between.mode = 'hole'
      // A publish detects the loss earlier than the missing answers.
      t.equal(transport.publish('fwr.x', new Uint8Array(64 * 1024)), true)
      t.equal(await changed, false)
    }
  )
})

t.test('throws when an option is invalid', async (t) => {
  t.throws(() => nats({ replicas: 2 as 1 }), {
    code: 'FST_CLUSTER_INVALID_OPTIONS',
    message: /'replicas' must be 1, 3 or 5, got '2'/
  })
  t.equal(nats().prefix, 'fwr')
})
