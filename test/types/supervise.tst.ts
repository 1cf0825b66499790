import { expect, test } from 'tstyche'
import type {
  ChildSpec,
  Pid,
  Process,
  Processes,
  SupervisorSpec
} from '../../lib/process/index.js'

interface CounterTopics { add: number }

declare const processes: Processes
declare const self: Process
declare const children: ChildSpec[]
declare const spec: SupervisorSpec

const plain = (_self: Process): void => {}
const room = (_self: Process, title: string, size: number): void => {
  expect([title, size]).type.toBeAssignableTo<unknown[]>()
}
const counter = (_self: Process<CounterTopics>, start?: number): void => {
  expect(start).type.toBe<number | undefined>()
}
const rest = (_self: Process, ...titles: string[]): void => {
  expect(titles).type.toBe<string[]>()
}

test('each child of a supervisor needs the arguments that its body takes', () => {
  expect(processes.supervise).type.toBeCallableWith({
    children: [
      { id: 'a', start: plain },
      { id: 'b', start: room, args: ['Lobby', 5] },
      { id: 'c', start: counter },
      { id: 'd', start: counter, args: [7] },
      { id: 'e', start: rest, args: ['Lobby', 'Garden'] },
      { id: 'f', start: { children: [] } }
    ]
  })
  expect(self.supervise).type.toBeCallableWith({
    children: [{ id: 'b', start: room, args: ['Lobby', 5] }]
  })
})

test('a child with wrong arguments does not compile, beside others that are right', () => {
  expect(processes.supervise).type.not.toBeCallableWith({ children: [{ id: 'a', start: room }] })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain }, { id: 'b', start: room, args: ['Lobby', 'five'] }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain }, { id: 'b', start: room, args: ['Lobby'] }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: counter, args: ['seven'] }, { id: 'b', start: plain }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain, args: ['Lobby'] }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: rest, args: [5] }]
  })
  expect(self.supervise).type.not.toBeCallableWith({
    children: [{ id: 'b', start: room, args: ['Lobby', 'five'] }]
  })
})

test('a body that is written in place knows its self and its arguments', () => {
  processes.supervise({
    children: [
      {
        id: 'a',
        start: (self, title: string) => {
          expect(self.pid).type.toBeAssignableTo<Pid>()
          expect(title).type.toBe<string>()
        },
        args: ['Lobby']
      },
      {
        id: 'b',
        start: async (self) => { expect(self.pid).type.toBeAssignableTo<Pid>() }
      }
    ]
  })
})

test('lists that are made before compile', () => {
  const titles = ['Lobby', 'Garden']
  expect(processes.supervise).type.toBeCallableWith({ children })
  expect(processes.supervise).type.toBeCallableWith(spec)
  expect(processes.supervise).type.toBeCallableWith({
    children: titles.map((id) => ({ id, start: plain }))
  })
  expect(processes.supervise).type.toBeCallableWith({
    children: titles.map((id) => ({ id, start: room, args: [id, 5] as const }))
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: titles.map((id) => ({ id, start: room, args: [id, id] as const }))
  })
  expect(processes.supervise).type.toBeCallableWith({
    children: [...children, { id: 'b', start: room, args: ['Lobby', 5] }]
  })
})

test('a misspelt field of a child does not compile', () => {
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain, nmae: 'room' }]
  })
})
