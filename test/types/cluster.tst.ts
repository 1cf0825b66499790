import { expect, test } from 'tstyche'
import type {
  ClusterEngine,
  ClusterGroups,
  ClusterTransport,
  Pid,
  Transport
} from '../../lib/process/index.js'
import type {
  ClusterTransport as ClusterTransportOfPlugin,
  Transport as TransportOfPlugin
} from '../../lib/index.js'

declare const engine: ClusterEngine
declare const pid: Pid
declare const listener: (change: { readonly joined: readonly Pid[] }) => void

test('an engine has a ClusterTransport', () => {
  expect(engine.transport).type.toBe<ClusterTransport>()
})

test('the former name of ClusterTransport is the same type', () => {
  expect<Transport>().type.toBe<ClusterTransport>()
  expect<TransportOfPlugin>().type.toBe<ClusterTransportOfPlugin>()
})

test('a group of the cluster is watched by a process or by a function', () => {
  expect<ClusterGroups['watch']>().type.toBeCallableWith('room', pid)
  expect<ClusterGroups['watch']>().type.toBeCallableWith('room', listener)
  expect<ClusterGroups['watch']>().type.not.toBeCallableWith('room', 5)
})
