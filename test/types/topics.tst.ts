import { expect, test } from 'tstyche'
import type { Call, Duration, Pid } from '../../types/pid.js'
import type { WsSend } from '../../types/messages.js'
import type { Cluster, Process, Processes } from '../../lib/process/index.js'

interface CounterTopics {
  add: number
  reset: undefined
  total: Call<void, number>
  rename: Call<{ name: string }, boolean>
}

declare const processes: Processes
declare const self: Process
declare const cluster: Cluster
declare const counter: Pid<CounterTopics>
declare const client: Pid
declare const someTopic: string
declare const someWsTopic: 'ws.send' | 'ws.close'

test('a process that declared topics takes these, with their payloads', () => {
  expect(processes.send).type.toBeCallableWith(counter, 'add', 1)
  expect(processes.send).type.toBeCallableWith(counter, 'reset')
  expect(processes.send).type.not.toBeCallableWith(counter, 'add')
  expect(processes.send).type.not.toBeCallableWith(counter, 'add', 'one')
  expect(processes.send).type.not.toBeCallableWith(counter, 'add', 1, 2)
  expect(self.send).type.toBeCallableWith(counter, 'add', 1)
  expect(self.send).type.not.toBeCallableWith(counter, 'add', 'one')
})

test('a process that declared topics takes no other topic', () => {
  expect(processes.send).type.not.toBeCallableWith(counter, 'ad', 1)
  expect(processes.send).type.not.toBeCallableWith(counter, someTopic, 1)
  expect(processes.send).type.not.toBeCallableWith(counter, 'ws.send', { data: 'x' })
  expect(processes.send).type.not.toBeCallableWith(counter, '@exit')
  expect(processes.call).type.not.toBeCallableWith(counter, 'totals')
  expect(self.send).type.not.toBeCallableWith(counter, 'ad', 1)
  expect(self.call).type.not.toBeCallableWith(counter, 'totals')
  expect(self.sendAfter).type.not.toBeCallableWith('1s', counter, 'ad', 1)
  expect(self.sendEvery).type.not.toBeCallableWith('1s', counter, 'ad', 1)
})

test('a process that declared topics takes the messages of the relay, as in a test of a room', () => {
  expect(processes.send).type.toBeCallableWith(counter, 'ws.join', {
    client_pid: client,
    metadata: {}
  })
  expect(processes.send).type.not.toBeCallableWith(counter, 'ws.join', { client_pid: client })
})

test('a connection takes its own topics with their payloads, and any other', () => {
  expect(processes.send).type.toBeCallableWith(client, 'ws.send', {
    data: 'hello'
  } satisfies WsSend)
  expect(processes.send).type.toBeCallableWith(client, 'ws.close')
  expect(processes.send).type.toBeCallableWith(client, 'ws.close', 'bye')
  expect(processes.send).type.toBeCallableWith(client, 'ws.control', { metadata: null })
  expect(processes.send).type.toBeCallableWith(client, 'news', { text: 'hello' })
  expect(processes.send).type.toBeCallableWith(client, someTopic, 5)
  expect(processes.send).type.toBeCallableWith(client, someWsTopic, { data: 'x' })
  expect(processes.send).type.not.toBeCallableWith(client, 'ws.send')
  expect(processes.send).type.not.toBeCallableWith(client, 'ws.send', { text: 'hello' })
  expect(processes.send).type.not.toBeCallableWith(client, 'ws.close', { code: '1000' })
  expect(processes.send).type.not.toBeCallableWith(client, 'ws.control', { metadata: 5 })
})

test('a misspelt ws topic, or one of the system, does not compile', () => {
  expect(processes.send).type.not.toBeCallableWith(client, 'ws.sned', { data: 'x' })
  expect(processes.send).type.not.toBeCallableWith('name', 'ws.sned', { data: 'x' })
  expect(processes.send).type.not.toBeCallableWith('name', '@exit')
  expect(processes.call).type.not.toBeCallableWith('name', 'ws.Send', { data: 'x' })
  expect(self.sendAfter).type.not.toBeCallableWith(5, client, 'ws.sned', { data: 'x' })
  expect(processes.groups.broadcast).type.not.toBeCallableWith('group', 'ws.sned', { data: 'x' })
  expect(cluster.groups.broadcast).type.not.toBeCallableWith('group', 'ws.sned', { data: 'x' })
})

test('a name takes any topic', () => {
  expect(processes.send).type.toBeCallableWith('name', 'topic')
  expect(processes.send).type.toBeCallableWith('name', 'topic', { any: 'payload' })
  expect(processes.send).type.not.toBeCallableWith('name', 'ws.send', { text: 'hello' })
  expect(processes.send).type.not.toBeCallableWith('name')
  expect(processes.send).type.not.toBeCallableWith(42, 'topic')
})

test('a PID with topics is a PID', () => {
  expect<Pid>().type.toBeAssignableFrom<Pid<CounterTopics>>()
  expect<Pid<CounterTopics>>().type.not.toBeAssignableFrom<Pid>()
  expect<Pid<CounterTopics>>().type.not.toBeAssignableFrom<string>()
  expect(processes.exit).type.toBeCallableWith(counter)
  expect(self.monitor).type.toBeCallableWith(counter)
})

test('a call resolves with the reply that was declared, and with unknown otherwise', () => {
  expect(processes.call(counter, 'total')).type.toBe<Promise<number>>()
  expect(processes.call(counter, 'total', undefined, { timeout: '1s' })).type.toBe<
    Promise<number>
  >()
  expect(processes.call(counter, 'rename', { name: 'x' })).type.toBe<Promise<boolean>>()
  expect(processes.call(counter, 'add', 1)).type.toBe<Promise<unknown>>()
  expect(processes.call('counter', 'total')).type.toBe<Promise<unknown>>()
  expect(processes.call(client, 'ws.send', { data: 'x' })).type.toBe<Promise<unknown>>()
  expect(self.call(counter, 'total')).type.toBe<Promise<number>>()
  expect(processes.call).type.not.toBeCallableWith(counter, 'rename')
  expect(processes.call).type.not.toBeCallableWith(counter, 'rename', { name: 5 })
  expect(processes.call).type.not.toBeCallableWith(counter, 'total', 5)
  expect(processes.call).type.not.toBeCallableWith(counter, 'total', undefined, { timeot: '1s' })
})

test('a call is answered with the reply that was declared', async () => {
  processes.spawn<CounterTopics>(async (self) => {
    await self.serve({
      add: (by, message) => {
        expect(by).type.toBe<number>()
        expect(message.reply).type.toBeCallableWith()
        expect(message.reply).type.toBeCallableWith('anything')
      },
      total: (_, { reply, fail }) => {
        expect(reply).type.toBeCallableWith(5)
        expect(reply).type.not.toBeCallableWith('five')
        expect(reply).type.not.toBeCallableWith()
        expect(fail).type.toBeCallableWith(new Error())
      },
      rename: ({ name }, { reply }) => {
        expect(name).type.toBe<string>()
        expect(reply).type.not.toBeCallableWith(1)
      }
    })
  })
  const { topic, reply } = await self.receive({ topic: 'surprise' })
  expect(topic).type.toBe<'surprise'>()
  expect(reply).type.toBeCallableWith({ any: 'value' })
})

test('in a loop, too', async () => {
  processes.spawn<CounterTopics>(async (self) => {
    for await (const message of self.inbox) {
      if (message.topic === 'total') expect(message.reply).type.not.toBeCallableWith('five')
      if (message.topic === 'rename') expect(message.payload).type.toBe<{ name: string }>()
    }
    expect((await self.receive({ topic: 'rename' })).payload).type.toBe<{ name: string }>()
    expect((await self.receive({ topic: 'total' })).reply).type.not.toBeCallableWith('five')
  })
})

test('timers check their topic and their payload', () => {
  expect(self.sendAfter).type.toBeCallableWith('1s' satisfies Duration, counter, 'add', 1)
  expect(self.sendAfter).type.not.toBeCallableWith('1s', counter, 'add')
  expect(self.sendAfter).type.not.toBeCallableWith(true, counter, 'add', 1)
  expect(self.sendEvery).type.toBeCallableWith(500, counter, 'reset')
  expect(self.sendEvery).type.not.toBeCallableWith(500, counter, 'add', 'one')
})

test('a broadcast checks its payload and its options', () => {
  expect(processes.groups.broadcast).type.toBeCallableWith('group', 'ws.send', { data: 'x' })
  expect(processes.groups.broadcast).type.toBeCallableWith(
    'group',
    'ws.send',
    { data: 'x' },
    { except: counter }
  )
  expect(processes.groups.broadcast).type.toBeCallableWith('group', 'news')
  expect(processes.groups.broadcast).type.not.toBeCallableWith('group', 'ws.send')
  expect(processes.groups.broadcast).type.not.toBeCallableWith('group', 'ws.send', { data: 5 })
  expect(processes.groups.broadcast).type.not.toBeCallableWith('group', 'news', 1, {
    from: counter
  })
  expect(processes.groups.broadcast('group', 'news')).type.toBe<number>()
  expect(cluster.groups.broadcast).type.toBeCallableWith(
    'group',
    'ws.send',
    { data: 'x' },
    { except: counter, from: client }
  )
  expect(cluster.groups.broadcast).type.not.toBeCallableWith('group', 'ws.send', { data: 5 })
  expect(cluster.groups.broadcast('group', 'news')).type.toBe<boolean>()
})
