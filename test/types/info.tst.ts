import { expect, test } from 'tstyche'
import type {
  ConnectionExit,
  Exit,
  ExitReason,
  LeaveCause,
  Pid,
  Process,
  ProcessInfo
} from '../../lib/process/index.js'

declare const self: Process
declare const info: ProcessInfo

test('the kind tells what else is known', () => {
  expect(info.kind).type.toBe<'process' | 'supervisor' | 'ws'>()
  expect(info.label).type.toBe<string>()
  if (info.kind === 'ws') {
    expect(info.target).type.toBe<Pid>()
    expect(info.buffered).type.toBe<number>()
    expect(info.paused).type.toBe<boolean>()
  } else {
    expect(info.target).type.toBe<undefined>()
    expect(info.kind).type.toBe<'process' | 'supervisor'>()
  }
  expect(info.paused).type.toBe<boolean | undefined>()
})

test('every reason that the package gives is a known one, and any string may be one', () => {
  expect<ExitReason>().type.toBeAssignableFrom<
    | 'name_lost'
    | 'connection_lost'
    | 'ping_timeout'
    | 'target_down'
    | 'protocol_error'
    | 'slow_client'
    | 'expired'
  >()
  expect<ExitReason>().type.toBeAssignableFrom<string>()
  expect(self.stop).type.toBeCallableWith('a reason of its own')
  expect(self.stop).type.not.toBeCallableWith(5)
})

test('how a connection ended', () => {
  expect<Exit['value']>().type.toBe<unknown>()
  expect<ConnectionExit['cause']>().type.toBe<LeaveCause>()
  expect<ConnectionExit['code']>().type.toBe<number | undefined>()
})

test('a receive may time out where its options say so, or may say so', async () => {
  const options: { timeout?: number } = {}
  expect(await self.receive(options)).type.toBe<
    Awaited<ReturnType<typeof self.receive<{ timeout: number }>>>
  >()
})
