// TLS with real servers: the option `tls` is passed to the client unchanged.
import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { proxy } from '../fixtures/proxy.js'
import { natsServer, redisServer } from '../fixtures/servers.js'
import { missing } from '../../installed.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import type { ClusterEngine } from '../../../types/cluster.js'

// One self-signed certificate for the server, the client and the authority.
const [cert, key] = ['cert', 'key'].map((name) =>
  fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url))
)
const pems = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
const silent = { state: (): void => {} }

/** Opens two transports, sends a frame, and writes an entry of the register. */
async function works (t: Test, engine: () => ClusterEngine): Promise<void> {
  const [{ transport }, { transport: other }] = [engine(), engine()]
  for (const each of [transport, other]) {
    t.teardown(() => each.close())
    await each.open(silent)
  }
  const news = new EventEmitter()
  await transport.subscribe('fwr.x', (frame) => {
    news.emit('frame', Buffer.from(frame).toString())
  })
  const heard = once(news, 'frame')
  t.ok(other.publish('fwr.x', Buffer.from('secret')))
  t.strictSame(await heard, ['secret'])
  const { revision = 0 } = await transport.get('fwr.k') ?? {}
  t.ok(await transport.cas('fwr.k', new Uint8Array(1), revision) > revision)
}

/**
 * Rejects a server with an unknown authority.
 * @param connections of one session; one more belongs to the next attempt
 */
async function distrusts (
  t: Test,
  port: number,
  connections: number,
  engine: (port: number) => ClusterEngine
): Promise<void> {
  const between = await proxy(t, port)
  const { transport } = engine(between.port)
  const again = (async () => {
    for (let n = 0; n <= connections; n++) await between.connection()
  })()
  const opening = t.rejects(transport.open(silent), {
    code: 'FST_CLUSTER_UNAVAILABLE',
    cause: { message: /self-signed certificate/ }
  })
  await again
  await transport.close()
  await opening
}

t.test(
  'NATS works with TLS and a client certificate',
  { skip: missing('nats-server') },
  async (t) => {
    const server = await natsServer(t, [
      '-js',
      '--tlsverify',
      '--tlscert',
      cert,
      '--tlskey',
      key,
      '--tlscacert',
      cert
    ])
    const servers = `tls://127.0.0.1:${server.port}`
    await works(t, () => nats({ servers, tls: { ca: pems.cert, ...pems } }))
    await works(t, () => nats({ servers, tls: { caFile: cert, certFile: cert, keyFile: key } }))
    await distrusts(t, server.port, 1, (port) =>
      nats({ servers: `tls://127.0.0.1:${port}`, tls: {} })
    )
  }
)

t.test(
  'Redis works with TLS and a client certificate',
  { skip: missing('redis-server') },
  async (t) => {
    const server = await redisServer(
      t,
      ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert],
      '--tls-port'
    )
    const tls = { ca: pems.cert, ...pems }
    await works(t, () => redis({ host: '127.0.0.1', port: server.port, tls }))
    await works(t, () => redis({ url: `rediss://127.0.0.1:${server.port}`, tls }))
    await distrusts(t, server.port, 2, (port) => redis({ url: `rediss://127.0.0.1:${port}` }))
  }
)
