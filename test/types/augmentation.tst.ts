import { expect, test } from 'tstyche'
import type {} from '../../lib/process/index.js'
import type { WsSend } from '../../types/messages.js'
import type { Process, Processes } from '../../types/processes.js'

// As users do: through the entry that re-exports it.
declare module '../../lib/process/index.js' {
  interface ApplicationTopics {
    'order.paid': { id: string }
  }
}

declare const processes: Processes
declare const self: Process

test('a topic of the application is known to every process', async () => {
  for await (const { topic, payload } of self.inbox) {
    if (topic === 'order.paid') expect(payload).type.toBe<{ id: string }>()
  }
  await self.serve({ 'order.paid': ({ id }) => { expect(id).type.toBe<string>() } })
  expect((await self.receive({ topic: 'order.paid' })).payload).type.toBe<{ id: string }>()
})

test('and to every send and call', () => {
  expect(processes.send).type.toBeCallableWith('shop', 'order.paid', { id: '7' })
  expect(processes.send).type.not.toBeCallableWith('shop', 'order.paid', { id: 7 })
  expect(processes.send).type.not.toBeCallableWith('shop', 'order.paid')
  expect(self.call).type.toBeCallableWith('shop', 'order.paid', { id: '7' })
  expect(self.call).type.not.toBeCallableWith('shop', 'order.paid', 'seven')
})

test('what a connection understands is typed, too', () => {
  expect(processes.send).type.toBeCallableWith('client', 'ws.send', {
    data: 'hello'
  } satisfies WsSend)
  expect(processes.send).type.not.toBeCallableWith('client', 'ws.send', { text: 'hello' })
  expect(processes.send).type.toBeCallableWith('client', 'ws.close')
  expect(processes.send).type.toBeCallableWith('client', 'ws.close', { code: 1000, reason: 'bye' })
})
