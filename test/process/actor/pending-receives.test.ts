import t from 'tap'
import {
  removeReceive,
  appendReceive,
  includesReceive,
  findReceive,
  type PendingReceive
} from '../../../lib/process/actor/pending-receives.js'

const waiter = (topic?: string): PendingReceive => ({
  filter: topic === undefined ? undefined : (candidate) => candidate === topic,
  nextPending: undefined,
  fulfill () {},
  settleStopped () {}
})

function line (...waiters: PendingReceive[]): PendingReceive | undefined {
  let first: PendingReceive | undefined
  for (const one of waiters) first = appendReceive(first, one)
  return first
}

function all (first: PendingReceive | undefined): PendingReceive[] {
  const waiters: PendingReceive[] = []
  for (let one = first; one !== undefined; one = one.nextPending) waiters.push(one)
  return waiters
}

t.test('appends a receive at the end, even when it was in the list before', async (t) => {
  const [a, b, c] = [waiter(), waiter(), waiter()]
  t.strictSame(all(line(a, b, c)), [a, b, c])
  const rest = removeReceive(line(a, b, c), a)
  t.strictSame(all(appendReceive(rest, a)), [b, c, a])
})

t.test('removes a receive at any position, and keeps its next one', async (t) => {
  for (const leaves of [0, 1, 2]) {
    const waiters = [waiter(), waiter(), waiter()]
    const gone = waiters[leaves]!
    t.strictSame(all(removeReceive(line(...waiters), gone)), waiters.filter((one) => one !== gone))
    t.equal(gone.nextPending, waiters[leaves + 1])
  }
  const alone = waiter()
  t.equal(removeReceive(line(alone), alone), undefined)
})

t.test('ignores the removal of a receive that is not in the list', async (t) => {
  const [a, b, stranger] = [waiter(), waiter(), waiter()]
  const first = line(a, b)
  t.strictSame([a, b, stranger].map((one) => includesReceive(first, one)), [true, true, false])
  t.equal(includesReceive(undefined, a), false)
  t.strictSame(all(removeReceive(first, stranger)), [a, b])
})

t.test('finds the first receive for a topic', async (t) => {
  const [a, b, any] = [waiter('a'), waiter('b'), waiter()]
  const first = line(a, b, any)
  t.strictSame(['a', 'b', 'c'].map((topic) => findReceive(first, topic)), [a, b, any])
  t.equal(findReceive(line(a, b), 'c'), undefined)
  t.equal(findReceive(undefined, 'a'), undefined)
})
