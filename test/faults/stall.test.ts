// An event loop that stalls for two seconds. Input that arrived meanwhile counts as in time.
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { Keeper, joined, start } from '../integration/connection/support.js'
import { answer, handshake, logs, raw, until } from '../helpers.js'
import { stall } from '../laps.js'
import { clientsOf, held, letsGo } from '../abuse/support.js'
import type { Socket } from 'node:net'

t.test('keeps clients of another process that answered their pings', async (t) => {
  const count = 50
  const rig = await start(t, { pingInterval: 100, pongTimeout: 1000 })
  const target = new Keeper(rig, { monitors: false })
  const sockets: Socket[] = []
  rig.app.server.on('connection', (socket: Socket) => { sockets.push(socket) })
  const written = (): number => sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
  const { child } = await clientsOf(t, `ws://127.0.0.1:${rig.port}/?relay=${target.pid}`, count)
  await target.until('ws.join', count)
  const pids = target.of('ws.join').map(({ client_pid: pid }) => pid)
  // Right after pings, whose pongs arrive during the stall.
  const before = written()
  await until(() => written() > before)
  stall(2000)
  // After the stall all clients are pinged again and answer: none was ended meanwhile.
  for (const pid of pids) rig.processes.send(pid, 'ws.send', { data: 'still there?' })
  await target.until('ws.message', count)
  t.strictSame(target.of('ws.leave'), [])
  child.kill('SIGKILL')
  await target.until('ws.leave', count)
  t.ok(
    target.of('ws.leave').every(({ cause }) => cause === 'lost'),
    'a client that has gone is ended'
  )
})

t.test('does not time out a handler whose result arrived during the stall', async (t) => {
  const { logger, lines } = logs('warn')
  const rig = await start(t, { upgradeTimeout: 500 }, { logger }, (app) => {
    app.get('/reads', async (_, reply) => {
      const file = readFile(new URL(import.meta.url))
      stall(1000)
      await file
      return reply.relay('target').send()
    })
    app.get('/hangs', async () => {
      stall(1000)
      await new Promise(() => {})
    })
  })
  const target = new Keeper(rig)
  rig.processes.names.register('target', target.pid)
  const before = held(rig)
  const client = (await raw(t, rig.port)).write(handshake('/reads'))
  t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101 /)
  t.strictSame(lines, [])
  client.socket.destroy()
  t.match(
    await answer(t, rig.port, handshake('/hangs')),
    /^HTTP\/1\.1 503 [^]*UPGRADE_TIMEOUT/,
    'one that does hang is found out'
  )
  await letsGo(rig, before)
})

t.test('does not send the heartbeats that were missed during a stall', async (t) => {
  const rig = await start(t)
  const target = new Keeper(rig)
  await joined(t, rig, { heartbeat_interval: '100ms' }, target)
  await target.until('ws.heartbeat')
  const before = target.of('ws.heartbeat').length
  stall(2000)
  const over = performance.now()
  await until(() => target.of('ws.heartbeat').length > before)
  // One that was due, and those since then: none is early.
  const most = 1 + Math.ceil((performance.now() - over) / 100)
  t.ok(target.of('ws.heartbeat').length <= before + most, 'without those of the two seconds')
})
