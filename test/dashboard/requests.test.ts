import t from 'tap'
import { readRequest } from '../../lib/dashboard/requests.js'
import { buildPage } from './support.js'

t.test('reads a request for a view, with defaults', async (t) => {
  const text = '{"view":"processes"}'
  t.strictSame(readRequest(text), {
    id: 'processes',
    watch: {
      id: 'processes',
      view: 'processes',
      node: undefined,
      column: 'started',
      isDescending: true,
      filter: '',
      cause: undefined,
      pid: '',
      limit: 50,
      every: 1000,
      request: text
    }
  })
})

t.test('reads each field of a request for a view', async (t) => {
  const request = {
    view: 'processes', id: 7, node: 'b', sort: 'mailbox', filter: 'RooM', limit: 500, every: '2s'
  }
  t.match(readRequest(JSON.stringify(request)), {
    id: 7,
    watch: {
      id: 7,
      node: 'b',
      column: 'mailbox',
      isDescending: false,
      filter: 'room',
      limit: 500,
      every: 2000
    }
  })
  t.match(readRequest('{"view":"groups","sort":"-name"}'), {
    watch: { column: 'name', isDescending: true }
  })
  t.match(readRequest('{"view":"ends","cause":"failed"}'), { watch: { cause: 'failed' } })
  t.match(readRequest('{"view":"trace","pid":"room"}'), { watch: { pid: 'room' } })
})

t.test('reads a request to stop, and each action', async (t) => {
  t.strictSame(readRequest('{"id":"a","view":null}'), { id: 'a', stop: 'a' })
  const requests = [
    { action: 'close', code: 1000, reason: 'bye' },
    { action: 'exit', reason: 'kill' },
    { action: 'cancel' },
    { action: 'transfer', target: 'lobby' },
    { action: 'send', topic: 'notice', payload: { text: 'a' } }
  ]
  for (const one of requests) {
    const act = { id: 1, pid: '1@a.b', ...one }
    t.strictSame(readRequest(JSON.stringify(act)), { id: 1, act })
  }
})

const bad: Array<[unknown, RegExp, (string | number)?]> = [
  [Buffer.from('{}'), /expected text/],
  ['', /expected JSON/],
  ['{"view":', /expected JSON/],
  ['null', /expected an object, got 'null'/],
  ['42', /expected an object, got '42'/],
  ['"overview"', /expected an object/],
  ['[]', /expected an object for a request for a view/],
  ['{}', /'view' must be 'overview', 'connections'/],
  ['{"view":"secrets","id":3}', /'view' must be .* got 'secrets'/, 3],
  ['{"view":"overview","limits":1}', /a request for a view has no field 'limits'/],
  ['{"view":"overview","__proto__":{"a":1}}', /no field '__proto__'/],
  ['{"view":"processes","limit":501,"id":"a"}', /'limit' must be an integer from 1 to 500/, 'a'],
  ['{"view":"processes","limit":0}', /'limit' must be/],
  ['{"view":"processes","limit":1.5}', /'limit' must be/],
  ['{"view":"processes","every":999}', /'every' must be a duration of 1000 to 3600000 ms/],
  ['{"view":"processes","every":"2h"}', /'every' must be/],
  ['{"view":"processes","every":null}', /'every' must be/],
  ['{"view":"processes","sort":"secret"}', /can be sorted by started, label, .*, not by 'secret'/],
  ['{"view":"processes","sort":"--label"}', /not by '--label'/],
  ['{"view":"overview","sort":"started"}', /can be sorted by nothing/],
  [`{"view":"processes","filter":"${'a'.repeat(101)}"}`, /'filter' must be at most 100/],
  ['{"view":"processes","filter":5}', /'filter' must be/],
  ['{"view":"process"}', /the view 'process' needs 'pid'/],
  ['{"view":"trace"}', /the view 'trace' needs 'pid'/],
  ['{"view":"overview","id":1.5}', /'id' must be an integer or up to 32 characters/],
  [`{"view":"overview","id":"${'a'.repeat(33)}"}`, /'id' must be/],
  ['{"view":null}', /'id' must be/],
  ['{"view":null,"id":1,"pid":"a"}', /a request to stop has no field 'pid'/, 1],
  ['{"action":"restart","id":1,"pid":"a"}', /there is no action 'restart', only close, exit/, 1],
  ['{"action":"toString","id":1,"pid":"a"}', /there is no action 'toString'/, 1],
  ['{"action":"exit","id":1}', /'pid' must be a PID or a name/, 1],
  ['{"action":"exit","pid":"a"}', /'id' must be/],
  ['{"action":"exit","id":1,"pid":"a","reason":""}', /'reason' must be 1 to 256/, 1],
  ['{"action":"exit","id":1,"pid":"a","code":1}', /the action 'exit' has no field 'code'/, 1],
  ['{"action":"close","id":1,"pid":"a","code":99}', /'code' must be an integer from 1000/, 1],
  ['{"action":"transfer","id":1,"pid":"a"}', /'target' must be/, 1],
  ['{"action":"send","id":1,"pid":"a"}', /'topic' must be/, 1]
]

t.test('refuses anything else with a code, and never throws', async (t) => {
  for (const [data, message, id] of bad) {
    const read = readRequest(data)
    t.equal(read.id, id, String(data))
    t.match((read as { error: Error }).error, { code: 'FST_WS_RELAY_INVALID_REQUEST', message })
  }
})

t.test('a page gets a problem for each bad request, and its socket stays open', async (t) => {
  const { page } = await buildPage(t)
  for (const [data, message, id] of bad) {
    page.socket.send(data as string)
    const problem = await page.next('problem')
    t.match(problem, { code: 'FST_WS_RELAY_INVALID_REQUEST', message })
    t.equal(problem.id, id)
  }
  t.match(await page.watch({ view: 'overview' }), { view: 'overview' })
})
