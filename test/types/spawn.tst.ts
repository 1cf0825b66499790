import { expect, test } from 'tstyche'
import type {
  ChildSpec,
  Pid,
  Process,
  Processes,
  Supervisor,
  SupervisorSpec
} from '../../lib/process/index.js'

declare const processes: Processes
declare const self: Process
declare const supervisor: Supervisor

const plain = (_self: Process): void => {}
const room = (_self: Process, title: string, size: number): void => {
  expect([title, size]).type.toBeAssignableTo<unknown[]>()
}
const optional = (_self: Process, title?: string): void => {
  expect(title).type.toBe<string | undefined>()
}

test('a body that takes arguments needs them', () => {
  expect(processes.spawn).type.toBeCallableWith(room, { args: ['Lobby', 5] })
  expect(processes.spawn).type.not.toBeCallableWith(room)
  expect(processes.spawn).type.not.toBeCallableWith(room, {})
  expect(processes.spawn).type.not.toBeCallableWith(room, { name: 'room' })
  expect(processes.spawn).type.not.toBeCallableWith(room, { args: ['Lobby'] })
  expect(processes.spawn).type.not.toBeCallableWith(room, { args: ['Lobby', 'five'] })
  expect(self.spawn).type.not.toBeCallableWith(room)
  expect(self.spawnLink).type.not.toBeCallableWith(room)
  expect(self.spawnMonitor).type.not.toBeCallableWith(room)
  expect(self.spawnLink).type.toBeCallableWith(room, { args: ['Lobby', 5], name: 'room' })
})

test('a body that takes none, or may do without, needs no options', () => {
  expect(processes.spawn).type.toBeCallableWith(plain)
  expect(processes.spawn).type.toBeCallableWith(plain, { name: 'room', trapLinks: true })
  expect(processes.spawn).type.not.toBeCallableWith(plain, { args: ['Lobby'] })
  expect(processes.spawn).type.not.toBeCallableWith(plain, { nmae: 'room' })
  expect(processes.spawn).type.toBeCallableWith(optional)
  expect(processes.spawn).type.toBeCallableWith(optional, { args: ['Lobby'] })
})

test('a body that is written in place knows its self and its arguments', () => {
  const pid = processes.spawn(async function room (self, title: string) {
    expect(self).type.toBe<Process>()
    expect(title).type.toBe<string>()
  }, { args: ['Lobby'] })
  expect(pid).type.toBe<Pid>()
})

test('a child whose body takes arguments needs them', () => {
  expect(processes.supervise).type.toBeCallableWith({
    children: [{ id: 'a', start: room, args: ['Lobby', 5] }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({ children: [{ id: 'a', start: room }] })
  expect(processes.supervise).type.toBeCallableWith({
    children: [
      { id: 'a', start: plain },
      { id: 'b', start: room, args: ['Lobby', 5] }
    ]
  })
  expect<ChildSpec>().type.not.toBeAssignableFrom<{ id: string, start: typeof room }>()
  expect<ChildSpec>().type.not.toBeAssignableFrom<{ start: typeof plain }>()
  expect(supervisor.startChild).type.toBeCallableWith({ id: 'a', start: plain })
  expect(supervisor.startChild).type.toBeCallableWith({ id: 'a', start: room, args: ['Lobby', 5] })
  expect(supervisor.startChild).type.not.toBeCallableWith({ id: 'a', start: room })
  expect(supervisor.startChild).type.not.toBeCallableWith({
    id: 'a',
    start: room,
    args: ['Lobby', 'five']
  })
  expect(supervisor.startChild).type.toBeCallableWith({} as ChildSpec)
})

test('a child that is written in place knows its self', () => {
  processes.supervise({
    children: [
      {
        id: 'a',
        start: (self) => {
          expect(self.pid).type.toBeAssignableTo<Pid>()
        }
      }
    ]
  })
  supervisor.startChild({
    id: 'a',
    start: (self) => {
      expect(self.pid).type.toBeAssignableTo<Pid>()
    }
  })
})

test('a child that is a supervisor takes nothing of a body', () => {
  const start: SupervisorSpec = { children: [] }
  expect(supervisor.startChild).type.toBeCallableWith({
    id: 'a',
    start,
    name: 'rooms',
    shutdown: '10s'
  })
  expect(supervisor.startChild).type.not.toBeCallableWith({ id: 'a', start, args: ['Lobby'] })
  expect(supervisor.startChild).type.not.toBeCallableWith({ id: 'a', start, mailboxLimit: 5 })
  expect(supervisor.startChild).type.not.toBeCallableWith({ id: 'a', start, trapLinks: true })
})

test('a wrong field of a specification does not compile', () => {
  expect(processes.supervise).type.not.toBeCallableWith({ strategy: 'one' })
  expect(processes.supervise).type.not.toBeCallableWith({ backoff: { initial: '1s' } })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain, restart: 'always' }]
  })
  expect(processes.supervise).type.not.toBeCallableWith({
    children: [{ id: 'a', start: plain, shutdown: true }]
  })
})
