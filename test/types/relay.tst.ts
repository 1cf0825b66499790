import { expect, test } from 'tstyche'
import type { FastifyReply } from 'fastify'
import type { Process } from '../../lib/index.js'

declare const reply: FastifyReply

const plain = (_self: Process): void => {}
const session = (_self: Process<{ tick: number }>, user: string, size: number): void => {
  expect([user, size]).type.toBeAssignableTo<unknown[]>()
}

test('reply.relay takes a target, or a body with its arguments', () => {
  expect(reply.relay).type.toBeCallableWith('lobby')
  expect(reply.relay).type.toBeCallableWith('lobby', { on_target_exit: 'park', park: '1s' })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { args: [] })
  expect(reply.relay).type.toBeCallableWith(plain)
  expect(reply.relay).type.toBeCallableWith(plain, { heartbeat_interval: '30s' })
  expect(reply.relay).type.not.toBeCallableWith(plain, { args: ['ada'] })
  expect(reply.relay).type.not.toBeCallableWith(session)
  expect(reply.relay).type.not.toBeCallableWith(session, {})
  expect(reply.relay).type.not.toBeCallableWith(session, { args: ['ada'] })
  expect(reply.relay).type.not.toBeCallableWith(session, { args: ['ada', 'five'] })
  expect(reply.relay).type.toBeCallableWith(session, { args: ['ada', 5], metadata: { a: 1 } })
})

test('reply.relay takes limits and an end', () => {
  const limit = { messages: '50/s', bytes: '256KiB/s', burst: 2, over: 'close' } as const
  expect(reply.relay).type.toBeCallableWith('lobby', { limit, expires_at: 1.8e12 })
  expect(reply.relay).type.toBeCallableWith(plain, { expires_in: '1h', expiry_notice: 30_000 })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { limit: '50/s' })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { limit: { messages: 50 } })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { limit: { over: 'drop' } })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { limit: null })
  expect(reply.relay).type.not.toBeCallableWith('lobby', { expires_at: new Date() })
})

test('a process of one connection has no successor, and no other target', () => {
  expect(reply.relay).type.not.toBeCallableWith(plain, { on_target_exit: 'park' })
  expect(reply.relay).type.not.toBeCallableWith(plain, { park: '1s' })
  expect(reply.relay).type.not.toBeCallableWith(plain, { target_pid: 'lobby' })
})

test('a body that is written in place knows its self and its arguments', () => {
  expect(reply.relay((self, user: string) => {
    expect(self).type.toBe<Process>()
    expect(user).type.toBe<string>()
  }, { args: ['ada'] })).type.toBe<FastifyReply>()
})
