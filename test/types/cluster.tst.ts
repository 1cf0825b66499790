import { expect, test } from 'tstyche'
import type {
  ClusterEngine,
  ClusterTransport,
  Transport
} from '../../lib/process/index.js'
import type {
  ClusterTransport as ClusterTransportOfPlugin,
  Transport as TransportOfPlugin
} from '../../lib/index.js'

declare const engine: ClusterEngine

test('an engine has a ClusterTransport', () => {
  expect(engine.transport).type.toBe<ClusterTransport>()
})

test('the former name of ClusterTransport is the same type', () => {
  expect<Transport>().type.toBe<ClusterTransport>()
  expect<TransportOfPlugin>().type.toBe<ClusterTransportOfPlugin>()
})
