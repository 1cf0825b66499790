// The contract of processes, as in test/process, with the other process on another node. Node `a`
// is in the test's operating-system process, `b` and `c` are in one each.
import t from 'tap'
import { calls, order, payloads } from './messages.js'
import { nodesOf } from './nodes.js'
import { ends, links } from './relations.js'
import { shared } from './shared.js'
import type { Sentence, Tap } from './nodes.js'
import type { EngineName } from './worker.js'

/** @param engine connects the nodes */
export function contract (engine: EngineName): void {
  const sentence: Sentence = (text, body) => {
    t.test(text, async (t) => { await body(t as unknown as Tap, await nodesOf(engine)) })
  }
  for (const part of [order, calls, ends, links, shared, payloads]) part(sentence)
}
