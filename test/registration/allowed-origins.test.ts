// `allowedOrigins`: the patterns, and the errors for malformed ones.
import t from 'tap'
import { compileOrigins } from '../../lib/registration/origin.js'

type Allowed = string | string[] | undefined

/** The check for a browser page at `origin` and a server at `own`. */
function asks (allowed: Allowed, origin: string | undefined, own = 'http://relay.test'): boolean {
  const [protocol, host] = own.split('://')
  return compileOrigins(allowed)({ headers: { origin }, host, protocol })
}

t.test("accepts only the request's own origin without a list", async (t) => {
  const cases: Array<[own: string, origin: string | undefined, accepted: boolean]> = [
    ['http://relay.test', 'http://relay.test', true],
    ['http://relay.test', 'HTTP://Relay.TEST', true],
    ['http://Relay.Test:80', 'http://relay.test', true],
    ['http://relay.test', 'http://relay.test:80', true],
    ['https://relay.test:443', 'https://relay.test', true],
    ['https://relay.test', 'https://relay.test:443', true],
    ['http://relay.test:3000', 'http://relay.test:3000', true],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000', true],
    ['http://[::1]:3000', 'http://[::1]:3000', true],
    ['http://[0:0:0:0:0:0:0:1]:3000', 'http://[::1]:3000', true],
    ['http://bücher.test', 'http://xn--bcher-kva.test', true],
    ['http://relay.test.', 'http://relay.test.', true],
    ['wss://relay.test', 'https://relay.test', true],
    ['HTTPS://relay.test', 'https://relay.test', true],
    ['http://relay.test', undefined, true],
    ['http://relay.test', 'https://relay.test', false],
    ['https://relay.test', 'http://relay.test', false],
    ['https://relay.test:80', 'http://relay.test', false],
    ['http://relay.test:3000', 'http://relay.test', false],
    ['http://relay.test', 'http://relay.test:3000', false],
    ['http://relay.test', 'http://other.test', false],
    ['http://relay.test', 'http://sub.relay.test', false],
    ['http://relay.test', 'http://relay.test.', false],
    ['http://relay.test', 'http://relay.test.evil.test', false],
    ['http://', 'http://', false],
    ['http://', 'http://relay.test', false],
    ['http://relay.test/path', 'http://relay.test/path', false],
    ['http://a@relay.test', 'http://a@relay.test', false],
    ['http://relay.test', 'null', false],
    ['http://null', 'null', false],
    ['http://relay.test', '', false]
  ]
  for (const allowed of [
    undefined,
    '',
    ' , ,',
    [],
    ['', ' '],
    ['other.example']
  ] satisfies Allowed[]) {
    for (const [own, origin, accepted] of cases) {
      t.equal(
        asks(allowed, origin, own),
        accepted,
        `${JSON.stringify(allowed)}: ${origin} at ${own}`
      )
    }
  }
})

t.test('accepts a listed origin, and not one that only looks like it', async (t) => {
  const cases: Array<[allowed: Allowed, origin: string | undefined, accepted: boolean]> = [
    ['https://app.example.com', 'https://app.example.com', true],
    ['https://app.example.com', 'https://app.example.com:443', true],
    ['https://app.example.com:443', 'https://app.example.com', true],
    ['https://app.example.com/', 'https://app.example.com', true],
    ['HTTPS://App.Example.COM', 'https://app.example.com', true],
    ['https://app.example.com', 'https://APP.example.com', true],
    ['https://app.example.com', undefined, true],
    ['wss://app.example.com', 'https://app.example.com', true],
    ['ws://app.example.com', 'http://app.example.com', true],
    ['ws://app.example.com', 'https://app.example.com', false],
    ['https://app.example.com', 'http://app.example.com', false],
    ['https://app.example.com', 'http://app.example.com:443', false],
    ['https://app.example.com', 'https://app.example.com:8443', false],
    ['https://app.example.com:8443', 'https://app.example.com:8443', true],
    ['https://app.example.com:8443', 'https://app.example.com', false],
    ['https://app.example.com', 'https://example.com', false],
    ['https://app.example.com', 'https://www.app.example.com', false],
    ['https://app.example.com', 'https://app.example.com.evil.com', false],
    ['https://app.example.com', 'https://app.example.comm', false],
    ['https://app.example.com', 'https://appxexample.com', false],
    ['https://app.example.com', 'https://app.example.com@evil.com', false],
    ['https://app.example.com', 'https://evil.com@app.example.com', false],
    ['https://app.example.com', 'https://app.example.com.', false],
    ['https://app.example.com', 'https://app.example.com/', false],
    ['https://app.example.com', 'https://app.example.com/path', false],
    ['https://app.example.com', 'https://app.example.com?x', false],
    ['https://app.example.com', 'https://app.example.com#x', false],
    ['https://app.example.com', 'https:\\\\app.example.com', false],
    ['https://app.example.com', 'https://app.example.com:', false],
    ['https://app.example.com', 'https://app.example.com:0443', false],
    ['https://app.example.com', 'https://app.example.com:99999', false],
    ['https://app.example.com', 'https://app.example.com ', false],
    ['https://app.example.com', ' https://app.example.com', false],
    ['https://app.example.com', 'https://app.example.com\n', false],
    ['https://app.example.com', 'https://app.example.com\0', false],
    ['https://app.example.com', 'https://app.example\t.com', false],
    ['https://app.example.com', 'https://app.ex%61mple.com', false],
    ['https://app.example.com', 'https://app.\uff45xample.com', false],
    ['https://app.example.com', 'https://app.exam\u00adple.com', false],
    ['https://app.example.com', 'https://app\u3002example.com', false],
    ['https://app.example.com', 'https://app.example.com, https://app.example.com', false],
    ['https://app.example.com', 'https://app.example.com https://evil.com', false],
    ['https://app.example.com', 'app.example.com', false],
    ['https://app.example.com', '//app.example.com', false],
    ['https://app.example.com', 'null', false],
    ['https://app.example.com', '', false],
    // Without a scheme: any scheme, on its default port.
    ['app.example.com', 'https://app.example.com', true],
    ['app.example.com', 'http://app.example.com', true],
    ['app.example.com', 'http://app.example.com:80', true],
    ['app.example.com', 'http://app.example.com:443', false],
    ['app.example.com', 'https://app.example.com:80', false],
    ['app.example.com', 'http://app.example.com:8080', false],
    ['app.example.com:8080', 'http://app.example.com:8080', true],
    ['app.example.com:8080', 'https://app.example.com:8080', true],
    ['app.example.com:8080', 'http://app.example.com', false],
    ['app.example.com:443', 'https://app.example.com', true],
    ['app.example.com:443', 'http://app.example.com', false],
    ['localhost', 'capacitor://localhost', true],
    ['localhost', 'capacitor://localhost:8080', false],
    ['https://localhost', 'capacitor://localhost', false],
    ['app.example.com', 'constructor://app.example.com:443', false],
    ['app.example.com', 'null', false],
    // Subdomains.
    ['*.example.com', 'https://app.example.com', true],
    ['*.example.com', 'http://app.example.com', true],
    ['*.example.com', 'https://a.b.c.example.com', true],
    ['*.Example.com', 'https://APP.example.COM', true],
    ['*.example.com', 'https://example.com', false],
    ['*.example.com', 'https://evil-example.com', false],
    ['*.example.com', 'https://evilexample.com', false],
    ['*.example.com', 'https://.example.com', false],
    ['*.example.com', 'https://a..example.com', false],
    ['*.example.com', 'https://*.example.com', false],
    ['*.example.com', 'https://app.example.com.', false],
    ['*.example.com', 'https://app.example.com.evil.com', false],
    ['*.example.com', 'https://evil.com/.example.com', false],
    ['*.example.com', 'https://evil.com\\.example.com', false],
    ['*.example.com', 'https://evil.com#.example.com', false],
    ['*.example.com', 'https://evil.com\0.example.com', false],
    ['*.example.com', 'https://evil.com:80.example.com', false],
    ['*.example.com', 'https://app.example.com:8443', false],
    ['*.example.com', `https://${'a.'.repeat(120)}example.com`, true],
    ['*.example.com', `https://${'a.'.repeat(130)}example.com`, false],
    ['*.example.com:8443', 'https://a.b.example.com:8443', true],
    ['*.example.com:8443', 'https://app.example.com', false],
    ['https://*.example.com', 'https://app.example.com', true],
    ['https://*.example.com/', 'https://app.example.com', true],
    ['https://*.example.com', 'http://app.example.com', false],
    ['https://*.example.com:8443', 'https://app.example.com:8443', true],
    ['https://*.example.com:8443', 'https://app.example.com', false],
    ['*.localhost', 'http://app.localhost', true],
    // International names and addresses.
    ['https://bücher.example', 'https://xn--bcher-kva.example', true],
    ['https://BÜCHER.example', 'https://bücher.example', true],
    ['https://bu\u0308cher.example', 'https://xn--bcher-kva.example', true],
    ['*.xn--bcher-kva.example', 'https://app.bücher.example', true],
    ['https://bücher.example', 'https://bucher.example', false],
    ['http://[::1]:3000', 'http://[::1]:3000', true],
    ['http://[0:0:0:0:0:0:0:1]', 'http://[::1]', true],
    ['[::1]', 'https://[::1]', true],
    ['[::1]', 'https://[::2]', false],
    ['http://[fe80::1]', 'http://[FE80::1]', true],
    ['http://127.0.0.1', 'http://127.0.0.1', true],
    ['http://127.0.0.1', 'http://127.1', false],
    ['http://127.0.0.1', 'http://2130706433', false],
    ['http://127.0.0.1', 'http://[::ffff:127.0.0.1]', false],
    ['http://127.0.0.1', 'http://127.0.0.1.', false],
    // Everything.
    ['*', 'https://evil.com', true],
    ['*', 'null', true],
    ['*', 'not an origin', true],
    ['*', '', true],
    // Lists.
    ['https://a.example, https://b.example', 'https://a.example', true],
    [' https://a.example ,, \n https://b.example,', 'https://b.example', true],
    ['https://a.example,https://b.example', 'https://c.example', false],
    ['https://a.example,*', 'https://c.example', true],
    [['https://a.example', ' b.example '], 'http://b.example', true],
    [['https://a.example', '', 'c.example,*.d.example'], 'http://x.d.example', true],
    [['https://a.example', 'b.example'], 'http://a.example', false],
    ['https://other.example', 'http://relay.test', true]
  ]
  for (const [allowed, origin, accepted] of cases) {
    t.equal(
      asks(allowed, origin),
      accepted,
      `${JSON.stringify(allowed)}: ${JSON.stringify(origin)}`
    )
  }
})

t.test('names a malformed pattern in the error', async (t) => {
  const patterns = [
    'https://app.example.com/path',
    'https://app.example.com//',
    'https://app.example.com?x=1',
    'https://app.example.com#x',
    'app.example.com/',
    'https://',
    'https:///',
    '://app.example.com',
    '//app.example.com',
    'https:app.example.com',
    'https://app.example.com:',
    'https://app.example.com:0',
    'https://app.example.com:65536',
    'https://app.example.com:99999',
    'https://app.example.com:x',
    'app.example.com:080',
    ':8080',
    '.example.com',
    'example..com',
    'example.com.',
    '**',
    '*:8080',
    'https://*',
    '*.',
    '*example.com',
    '*.*.example.com',
    'app.*.example.com',
    'app.*',
    'https://*.*',
    '*://app.example.com',
    '*.127.0.0.1',
    '*.0.1',
    '*.[::1]',
    '127.1',
    '256.0.0.1',
    '2130706433',
    '[::1',
    '[::g]',
    '::1',
    'https://xn--',
    'ftp://app.example.com',
    'file:///tmp',
    'file://tmp',
    'javascript://app.example.com',
    'htps://app.example.com',
    'data://x',
    'blob://x',
    'about://blank',
    'capacitor://*.localhost',
    'capacitor://localhost:*',
    'chrome-extension://*',
    '*://localhost',
    'chrome-extension://abc/popup.html',
    'http://app.example.com:*',
    'app.example.com:*',
    '*.localhost:*',
    'http://*.localhost:*',
    'http://127.0.0.2:*',
    '[::2]:*',
    'localhost:**',
    'localhost:*0',
    'null',
    'http://null',
    'https://app.ex%61mple.com',
    'app example.com',
    'app.example.com;b.example.com',
    'app.\uff45xample.com',
    '/example/',
    '^https://',
    `${'a.'.repeat(130)}com`
  ]
  for (const pattern of patterns) {
    for (const allowed of [pattern, ['*', pattern], `https://app.example.com, ${pattern}`]) {
      t.throws(
        () => compileOrigins(allowed),
        {
          code: 'FST_WS_RELAY_INVALID_OPTIONS',
          message:
            `Invalid option: allowedOrigins: '${pattern.slice(0, 80)}${pattern.length > 80 ? '…' : ''}' is not an origin, ` +
            "expected one such as 'https://app.example.com', 'app.example.com:8080', '*.example.com', 'https://*.example.com', 'http://localhost:*', 'capacitor://localhost' or '*'"
        },
        JSON.stringify(allowed)
      )
    }
  }
})

t.test('does not repeat a password in the error', async (t) => {
  for (const pattern of ['https://user:secret@app.example.com', 'user:secret@app.example.com']) {
    t.throws(() => compileOrigins(pattern), {
      code: 'FST_WS_RELAY_INVALID_OPTIONS',
      message: /'(?:https:\/\/)?…@app\.example\.com'/
    })
  }
})

t.test('throws for a list of the wrong type', async (t) => {
  for (const [allowed, got] of [
    [42, '42'],
    [true, 'true'],
    [null, 'null'],
    [{}, '[object]'],
    [/x/, '[object]'],
    [[42], '42'],
    [[undefined], 'undefined'],
    [['*', null], 'null'],
    [[['*']], '[array]'],
    [new Set(['*']), '[object]']
  ] as const) {
    t.throws(
      () => compileOrigins(allowed as never),
      {
        code: 'FST_WS_RELAY_INVALID_OPTIONS',
        message: `Invalid option: allowedOrigins: expected a comma-separated string or an array of strings, got ${got}`
      },
      got
    )
  }
})

t.test('does not change when the list is modified afterwards', async (t) => {
  const allowed = ['https://a.example']
  const check = compileOrigins(allowed)
  allowed[0] = 'https://b.example'
  t.equal(
    check({ headers: { origin: 'https://a.example' }, host: 'relay.test', protocol: 'http' }),
    true
  )
  t.equal(
    check({ headers: { origin: 'https://b.example' }, host: 'relay.test', protocol: 'http' }),
    false
  )
})
