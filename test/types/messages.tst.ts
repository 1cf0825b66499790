import { expect, test } from 'tstyche'
import type {
  Message,
  MessageOf,
  SystemTopics,
  WsJoin,
  WsLeave,
  WsMessage
} from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'

type Notices = { notice: { text: string }, tick: undefined }

declare const self: Process<Notices>

test('in a loop the topic of a message, taken apart, tells its payload', async () => {
  for await (const { topic, payload, from } of self.inbox) {
    expect(from).type.toBe<Pid | undefined>()
    if (topic === 'notice') expect(payload).type.toBe<{ text: string }>()
    if (topic === 'tick') expect(payload).type.toBe<undefined>()
    if (topic === 'ws.join') expect(payload).type.toBe<WsJoin>()
    if (topic === 'ws.message') expect(payload).type.toBe<WsMessage>()
    if (topic === 'ws.leave') expect(payload).type.toBe<WsLeave>()
    if (topic === '@exit') expect(payload).type.toBe<SystemTopics['@exit']>()
    if (topic === '@cancel') expect(payload.reason).type.toBe<string>()
    if (topic === '@group') expect(payload.joined).type.toBe<Pid[]>()
    // @ts-expect-error This comparison appears to be unintentional
    if (topic === 'notcie') expect(payload).type.toBe<never>()
  }
})

test('the data of a client message is told by its type', () => {
  const read = (message: WsMessage): void => {
    if (message.type === 'text') expect(message.data).type.toBe<string>()
    else expect(message.data).type.toBe<Buffer>()
  }
  expect(read).type.toBeCallableWith({} as WsMessage)
})

test('a receive of some topics gives these, and undefined only with a timeout', async () => {
  expect(await self.receive()).type.toBe<Message<Notices>>()
  expect(await self.receive({ timeout: '1s' })).type.toBe<Message<Notices> | undefined>()
  expect(await self.receive({ topic: 'notice' })).type.toBe<MessageOf<'notice', { text: string }>>()
  expect(await self.receive({ topic: 'notice', timeout: 5 })).type.toBe<
    MessageOf<'notice', { text: string }> | undefined
  >()
  expect(await self.receive({ topic: ['notice', 'ws.join'] })).type.toBe<
    MessageOf<'notice', { text: string }> | MessageOf<'ws.join', WsJoin>
  >()
  expect(await self.receive({ topic: '@exit' })).type.toBe<
    MessageOf<'@exit', SystemTopics['@exit']>
  >()
})

test('a topic that was not declared can be received, with an unknown payload', async () => {
  expect(await self.receive({ topic: 'surprise' })).type.toBe<MessageOf<'surprise', unknown>>()
})

test('wrong options of receive do not compile', () => {
  expect(self.receive).type.not.toBeCallableWith({ topic: 5 })
  expect(self.receive).type.not.toBeCallableWith({ timeout: true })
  expect(self.receive).type.not.toBeCallableWith({ after: 5 })
})

test('handlers get the payload of their topic, and the message', async () => {
  await self.serve({
    notice: (payload, message) => {
      expect(payload).type.toBe<{ text: string }>()
      expect(message).type.toBe<MessageOf<'notice', { text: string }>>()
    },
    'ws.message': ({ data, client_pid }) => {
      expect(data).type.toBe<string | Buffer>()
      expect(client_pid).type.toBe<Pid>()
    },
    '@link_down': ({ pid, reason }) => {
      expect(pid).type.toBe<Pid>()
      expect(reason).type.toBeAssignableTo<string>()
    }
  }, (message) => {
    expect(message).type.toBe<Message<Notices>>()
  })
  expect(self.serve).type.not.toBeCallableWith({ notcie: () => {} })
  expect(self.serve).type.not.toBeCallableWith({ notice: (payload: number) => payload })
  expect(self.serve).type.not.toBeCallableWith()
})
