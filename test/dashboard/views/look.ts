// Looks at a process system without a socket, on a clock that only the test moves.
import { readRequest } from '../../../lib/dashboard/requests.js'
import { passGap, Sampler } from '../../../lib/dashboard/sampler/sampler.js'
import { openView } from '../../../lib/dashboard/views/open.js'
import { Rig } from '../../connection/transports/clients.js'
import type { View, WatchRequest } from '../../../lib/dashboard/index.js'
import type { AnswerTo } from '../../../lib/dashboard/frames.js'
import type { Watch } from '../../../lib/dashboard/requests.js'
import type { OpenView } from '../../../lib/dashboard/views/view.js'

export { Rig }

/** The next answer of a view. */
export async function nextOf<V extends View> (rig: Rig, view: OpenView): Promise<AnswerTo<V>> {
  const outcome: { body?: unknown, error?: unknown } = {}
  Promise.resolve(view.next()).then(
    (body) => { outcome.body = body }, (error: unknown) => { outcome.error = error }
  )
  await rig.settle()
  while (Object.keys(outcome).length === 0) await rig.advance(passGap)
  if ('error' in outcome) throw outcome.error
  return outcome.body as AnswerTo<V>
}

export function openedView (rig: Rig, request: WatchRequest): OpenView {
  const read = readRequest(JSON.stringify(request)) as { watch: Watch }
  const { runtime } = rig
  return openView({ runtime, sampler: Sampler.of(runtime) }, read.watch)
}

/** The first answer to a request. */
export async function look<V extends View> (
  rig: Rig, request: WatchRequest & { view: V }
): Promise<AnswerTo<V>> {
  const view = openedView(rig, request)
  try {
    return await nextOf<V>(rig, view)
  } finally {
    view.close?.()
  }
}
