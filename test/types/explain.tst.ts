import { expect, test } from 'tstyche'
import type { Cluster } from '../../types/cluster.js'
import type { End, EndCause, Explanation } from '../../types/explain.js'
import type { Pid } from '../../types/pid.js'
import type { Process, Processes } from '../../types/processes.js'

declare const processes: Processes
declare const self: Process
declare const cluster: Cluster
declare const end: End

test('explain takes a string, so that a PID from a log can be asked for', () => {
  expect(processes.explain).type.toBeCallableWith('1@local.1')
  expect(processes.explain).type.not.toBeCallableWith(1)
  expect(processes.explain).type.not.toBeCallableWith()
  expect(processes.explain('1@local.1')).type.toBe<Explanation | undefined>()
})

test('an explanation is read-only', () => {
  const explained = processes.explain('1@local.1')!
  expect(explained.chain).type.toBe<readonly End[]>()
  expect(explained).type.not.toBeAssignableTo<{ chain: End[] }>()
})

test('the cause of an end is one of a list, and never a transfer', () => {
  expect<'failed'>().type.toBeAssignableTo<EndCause>()
  expect<'ping_timeout'>().type.toBeAssignableTo<EndCause>()
  expect<'transfer'>().type.not.toBeAssignableTo<EndCause>()
  expect<string>().type.not.toBeAssignableTo<EndCause>()
})

test('the fields that only some ends have may be undefined', () => {
  expect(end.because).type.toBe<Pid | undefined>()
  expect(end.code).type.toBe<number | undefined>()
  expect(end.closing).type.toBe<true | undefined>()
})

test('self has no explain', () => {
  expect(self).type.not.toHaveProperty('explain')
})

test('the explain of a cluster is asynchronous', () => {
  expect(cluster.explain).type.toBeCallableWith('1@far.1')
  expect(cluster.explain).type.not.toBeCallableWith(1)
  expect(cluster.explain('1@far.1')).type.toBe<Promise<Explanation | undefined>>()
  expect(self.cluster!.explain).type.toBe(cluster.explain)
})
