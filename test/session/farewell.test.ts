import t from 'tap'
import { closedByProcess } from '../../lib/connection/close-reasons.js'
import { Farewell } from '../../lib/session/farewell.js'
import { FakeTransport } from './fake-transport.js'
import type { OpenConnection, RelayServer } from '../../lib/connection/relay-server.js'

/** A transport whose client answers the close frame later. */
class SlowTransport extends FakeTransport {
  override close (): void {}
}

t.test('ignores what a client sends before it answers the close frame', async (t) => {
  const connections = new Set<OpenConnection>()
  const relay = {
    connections,
    connectionClosed: (connection: OpenConnection) => connections.delete(connection)
  }
  const transport = new SlowTransport()
  const farewell = new Farewell(relay as unknown as RelayServer, transport)
  const reason = closedByProcess(4001, 'kicked')
  farewell.say(reason)
  t.match(transport.takeHello(), { why: 'ended' })
  t.equal(transport.text('a'), true, 'the next message is read')
  transport.lose(reason)
  transport.handOver()
  transport.events.onTransportError(new Error('read ECONNRESET'))
  farewell.end()
  t.equal(connections.size, 1)
  transport.events.onTransportClose()
  t.equal(connections.size, 0)
})
