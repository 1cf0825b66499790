import t from 'tap'
import { StopReason } from '../../../lib/process/actor/stop-reason.js'
import type { Pid } from '../../../types/pid.js'

const pid = 'a:1' as Pid

t.test('creates one error with the reason', async (t) => {
  const stopping = new StopReason('maintenance')
  const error = stopping.errorFor(pid)
  t.match(error, { code: 'FST_PROCESS_STOPPED', message: /maintenance/ })
  t.equal(stopping.errorFor(pid), error)
})

t.test('keeps the error when the reason changes', async (t) => {
  const cancelled = new StopReason('shutdown')
  const error = cancelled.errorFor(pid)
  const failure = new Error('broken')
  const failed = cancelled.withReason('error', failure)
  t.match(failed, { reason: 'error', failure })
  t.equal(failed.errorFor(pid), error)
  t.match(
    new StopReason('shutdown').withReason('done').errorFor(pid).message,
    /done/,
    'nobody was told yet'
  )
})

t.test('recognizes its error, errors caused by it, and abort errors only', async (t) => {
  const stopping = new StopReason('shutdown')
  const error = stopping.errorFor(pid)
  t.ok(stopping.hasCaused(error, pid))
  t.ok(stopping.hasCaused(new Error('while reading', { cause: error }), pid))
  t.ok(stopping.hasCaused(new DOMException('aborted', 'AbortError'), pid))
  t.notOk(stopping.hasCaused(new Error('broken', { cause: new Error('else') }), pid))
  t.notOk(stopping.hasCaused(undefined, pid))
  t.notOk(
    stopping.hasCaused(
      Object.defineProperty(new Error('odd'), 'name', {
        get () {
          throw new Error('again')
        }
      }),
      pid
    )
  )
})
