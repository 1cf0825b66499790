import { Type } from '@sinclair/typebox'
import * as v from 'valibot'
import { expect, test } from 'tstyche'
import { z } from 'zod'
import { Call, protocol } from '../../lib/protocol/index.js'
import { connect } from '../../lib/client/index.js'
import type { FastifyReply } from 'fastify'
import type { ClientMessages, ClientPid, ServerMessages } from '../../lib/protocol/index.js'
import type { Metadata, Pid, Processes } from '../../lib/index.js'

declare const processes: Processes
declare const reply: FastifyReply

const chat = protocol('chat', {
  client: {
    say: Call({
      data: Type.Object({ text: Type.String() }),
      reply: Type.Object({ id: Type.Integer() })
    }),
    typing: Type.Boolean(),
    move: z.object({ x: z.number() }),
    name: v.pipe(v.string(), v.trim())
  },
  server: {
    said: Type.Object({ text: Type.String() }),
    confirm: Call({ data: z.string(), reply: Type.Boolean() })
  }
})

const quiet = protocol('quiet', { client: { typing: Type.Boolean() } })

type Chat = typeof chat

test('the target gets a union that its topic discriminates', () => {
  processes.spawn<ClientMessages<Chat>>((self) => self.serve({
    'ws.message': ({ client_pid, type, topic, data, metadata }, message) => {
      expect(client_pid).type.toBe<ClientPid<Chat>>()
      expect(type).type.toBe<'json'>()
      expect(metadata).type.toBe<Metadata>()
      expect(topic).type.toBe<'say' | 'typing' | 'move' | 'name'>()
      if (topic === 'say') expect(data).type.toBe<{ text: string }>()
      if (topic === 'typing') expect(data).type.toBe<boolean>()
      if (topic === 'move') expect(data).type.toBe<{ x: number }>()
      if (topic === 'name') expect(data).type.toBe<string>()
      expect(message.reply).type.toBeCallableWith({ id: 1 })
      expect(message.reply).type.not.toBeCallableWith({ id: 'one' })
      expect(message.reply).type.not.toBeCallableWith()
    }
  }))
})

test('a protocol without calls has messages that need no answer', () => {
  processes.spawn<ClientMessages<typeof quiet>>(async (self) => {
    for await (const { topic, payload } of self.inbox) {
      if (topic !== 'ws.message') continue
      expect(payload.topic).type.toBe<'typing'>()
      expect(payload.data).type.toBe<boolean>()
    }
  })
})

test('another message_topic is the second argument, and other topics are added', () => {
  processes.spawn<ClientMessages<Chat, 'chat.in'> & { tick: number }>((self) => self.serve({
    'chat.in': ({ topic }) => { expect(topic).type.toBeAssignableTo<string>() },
    'ws.message': ({ type }) => { expect(type).type.toBe<'text' | 'binary'>() },
    tick: (count) => { expect(count).type.toBe<number>() }
  }))
})

test('a message to a client is checked against the topics of the server', () => {
  processes.spawn<ClientMessages<Chat>>((self) => self.serve({
    'ws.join': async ({ client_pid, metadata }) => {
      expect(client_pid).type.toBe<Pid<ServerMessages<Chat>>>()
      expect(client_pid).type.toBeAssignableTo<Pid>()
      expect(metadata).type.toBe<Metadata>()
      expect(self.send(client_pid, 'said', { text: 'hi' })).type.toBe<boolean>()
      expect(self.send(client_pid, 'ws.send', { data: 'hi' })).type.toBe<boolean>()
      expect(self.send(client_pid, 'ws.close', 'bye')).type.toBe<boolean>()
      expect(self.send).type.not.toBeCallableWith(client_pid, 'said', { text: 1 })
      expect(self.send).type.not.toBeCallableWith(client_pid, 'shouted', { text: 'hi' })
      const answer = self.call(client_pid, 'confirm', 'Really?', { timeout: '30s' })
      expect(answer).type.toBe<Promise<boolean>>()
    },
    'ws.leave': ({ client_pid, cause }) => {
      expect(client_pid).type.toBe<ClientPid<Chat>>()
      expect(cause).type.toBeAssignableTo<string>()
    }
  }))
})

test('reply.relay takes a protocol by reference', () => {
  expect(reply.relay).type.toBeCallableWith('room', { protocol: chat })
  expect(reply.relay).type.toBeCallableWith('room', { protocol: quiet, metadata: { a: 1 } })
  expect(reply.relay).type.not.toBeCallableWith('room', { protocol: 'chat' })
  expect(reply.relay).type.not.toBeCallableWith('room', {
    protocol: { name: 'chat', client: {}, server: {} }
  })
})

test('protocol and Call take schemas only', () => {
  expect(protocol).type.not.toBeCallableWith('a', { client: { say: String } })
  expect(protocol).type.not.toBeCallableWith('a', { client: {} }, { invalid: 'log' })
  expect(protocol).type.toBeCallableWith('a', {}, { invalid: 'close' })
  expect(Call).type.not.toBeCallableWith({ data: z.string() })
  expect(Call).type.not.toBeCallableWith({ data: z.string(), reply: 1 })
})

test('the client has the same topics, by the type of the protocol alone', () => {
  const socket = connect<Chat>('/ws')
  socket.on('said', (data) => { expect(data).type.toBe<{ text: string }>() })
  expect(socket.on).type.not.toBeCallableWith('typing', () => {})
  expect(socket.call('say', { text: 'hi' })).type.toBe<Promise<{ id: number }>>()
  expect(socket.call).type.not.toBeCallableWith('say', { text: 1 })
  expect(socket.call).type.not.toBeCallableWith('typing', true)
})
