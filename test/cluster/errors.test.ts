import t from 'tap'
import { errorCodes } from '../../lib/cluster/errors.js'
import { errorCodes as processErrors } from '../../lib/errors.js'

t.test('each error has the code it is found under, a status of a server, and the values in its message', async (t) => {
  for (const [code, Coded] of Object.entries(errorCodes)) {
    const error = new (Coded as new (...values: string[]) => Error & { statusCode: number })('one', 'two')
    t.match(error, { code, name: 'FastifyError' }, code)
    if (!code.startsWith('FST_CLUSTER_')) continue
    t.ok(error.statusCode >= 500, `${code}: nothing of it is the fault of a client`)
    t.match(error.message, /one/, code)
    t.notMatch(error.message, /%s/, code)
  }
})

t.test('those of the process system are the same classes', async (t) => {
  for (const [code, Coded] of Object.entries(processErrors)) t.equal(errorCodes[code as keyof typeof processErrors], Coded)
})

t.test('only an option that is wrong is the fault of who calls', async (t) => {
  t.ok(new errorCodes.FST_CLUSTER_INVALID_OPTIONS('x') instanceof TypeError)
  t.notOk(new errorCodes.FST_CLUSTER_UNAVAILABLE('x') instanceof TypeError)
})
