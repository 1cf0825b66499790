import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { ConnectingSockets } from '../../../../lib/cluster/engines/nats/connecting-sockets.js'

async function listening (t: Test): Promise<() => Socket> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return () => connect((server.address() as AddressInfo).port, '127.0.0.1')
}

t.test('destroys the sockets that the task opened, and no others', async (t) => {
  const open = await listening(t)
  const sockets = new ConnectingSockets()
  const other = open()
  const work = sockets.trackDuring(async () => {
    await null
    const socket = open()
    await once(socket, 'connect')
    return socket
  })
  const meanwhile = open()
  const mine = await work
  const later = open()
  await once(later, 'connect')
  const closed = once(mine, 'close')
  sockets.destroy()
  await closed
  for (const socket of [other, meanwhile, later]) {
    t.equal(socket.destroyed, false)
    socket.destroy()
  }
})

t.test('destroys a socket that is opened after the end', async (t) => {
  const open = await listening(t)
  const sockets = new ConnectingSockets()
  sockets.destroy()
  const socket = await sockets.trackDuring(async () => open())
  await once(socket, 'close')
  t.equal(socket.destroyed, true)
})
