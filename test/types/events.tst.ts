import { subscribe } from 'node:diagnostics_channel'
import { expect, test } from 'tstyche'
import type {
  ClusterEvent, ConnectionEvent, EventChannels, LeaveCause, Pid, ProcessEvent, UpgradeEvent,
  UpgradeRefusalReason
} from '../../lib/index.js'
import type { ProcessEvent as ProcessEventOfProcesses } from '../../lib/process/index.js'

test('each channel has the union of its events', () => {
  expect<EventChannels['fastify-ws-relay:upgrade']>().type.toBe<UpgradeEvent>()
  expect<EventChannels['fastify-ws-relay:connection']>().type.toBe<ConnectionEvent>()
  expect<EventChannels['fastify-ws-relay:process']>().type.toBe<ProcessEvent>()
  expect<EventChannels['fastify-ws-relay:cluster']>().type.toBe<ClusterEvent>()
  expect<keyof EventChannels>().type.not.toBeAssignableFrom<'fastify-ws-relay:message'>()
})

test('the types are exported without Fastify, too', () => {
  expect<ProcessEventOfProcesses>().type.toBe<ProcessEvent>()
})

test('every event has its node and its time', () => {
  expect<EventChannels[keyof EventChannels]['node']>().type.toBe<string>()
  expect<EventChannels[keyof EventChannels]['at']>().type.toBe<number>()
})

test('`type` selects the fields of an event', () => {
  const upgrade = {} as UpgradeEvent
  if (upgrade.type === 'accepted') expect(upgrade.pid).type.toBe<Pid>()
  if (upgrade.type === 'refused') {
    expect(upgrade.reason).type.toBe<UpgradeRefusalReason>()
    expect(upgrade.status).type.toBe<number>()
    expect(upgrade).type.not.toHaveProperty('pid')
  }
  const connection = {} as ConnectionEvent
  if (connection.type === 'transfer') expect(connection.from).type.toBe<Pid>()
  if (connection.type === 'suspend') {
    expect(connection.cause).type.toBe<'lost' | 'ping_timeout'>()
    expect(connection).type.not.toHaveProperty('away')
  }
  if (connection.type === 'resume') expect(connection.away).type.toBe<number>()
  if (connection.type === 'close') {
    expect(connection.code).type.toBe<number | undefined>()
    expect(connection.cause).type.toBe<Exclude<LeaveCause, 'transfer'>>()
    expect(connection.clientReason).type.toBe<string | undefined>()
  } else expect(connection).type.not.toHaveProperty('code')
  const process = {} as ProcessEvent
  switch (process.type) {
    case 'spawn': expect(process.name).type.toBe<string | undefined>(); break
    case 'exit': expect(process.error).type.toBe<Error | undefined>(); break
    case 'restart': expect(process.previous).type.toBe<Pid>(); break
    case 'give-up': expect(process.child).type.toBe<string>(); break
    default: expect(process).type.toBe<never>()
  }
  const cluster = {} as ClusterEvent
  if (cluster.type === 'node') expect(cluster.state).type.toBe<'up' | 'down'>()
  else expect(cluster.reason).type.toBe<string>()
})

test('an event cannot be changed', () => {
  const event = {} as ConnectionEvent
  expect(event).type.toBe<ConnectionEvent>()
  // @ts-expect-error Cannot assign to 'pid' because it is a read-only property
  event.pid = '1@local.1' as Pid
})

test('a subscriber gets `unknown`, which can be taken for an event', () => {
  subscribe('fastify-ws-relay:process', (message) => {
    expect(message).type.toBe<unknown>()
    expect((message as ProcessEvent).type).type.toBe<'spawn' | 'exit' | 'restart' | 'give-up'>()
  })
})
