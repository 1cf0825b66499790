import type { Mutant } from './mutant.js'

const suites = ['client-sessions']

export const clientMutants: readonly Mutant[] = [
  {
    name: 'a client delivers messages that a resumed session repeats',
    file: 'client/client.ts',
    search: 'if (++position <= received) return\n',
    replace: '++position\n',
    suites
  },
  {
    name: 'a new session counts on from the old one',
    file: 'client/client.ts',
    search: 'if (!isResumed) received = position\n',
    replace: '\n',
    suites
  },
  {
    name: 'a client sends again what the server has taken',
    file: 'client/outbox.ts',
    search: 'const isPossible = drop(received - acknowledged, items.length)\n',
    replace: 'const isPossible = true\n',
    suites
  },
  {
    name: 'a client does not send again what the old socket has lost',
    file: 'client/outbox.ts',
    search: '      sent = 0\n      return isPossible\n',
    replace: '      return isPossible\n',
    suites
  },
  {
    name: 'a new session gets the messages of the old one',
    file: 'client/client.ts',
    search: 'const unsent = why ? outbox.take(reset, resend) : []\n',
    replace: 'const unsent = []\n',
    suites
  },
  {
    name: 'a socket that is given up gets a close frame, which ends the session',
    file: 'client/client.ts',
    search: '    if (token) stale.push(socket)\n    else socket.close()\n',
    replace: '    socket.close()\n',
    suites
  },
  {
    name: 'a socket is read after another one has the session',
    file: 'client/client.ts',
    search: '      detach(socket)\n      socket.close()\n',
    replace: '      socket.close()\n',
    suites
  },
  {
    name: 'an offer does not tell what was received',
    file: 'client/client.ts',
    search: 'received}`] : []\n',
    replace: '0}`] : []\n',
    suites
  },
  {
    name: 'an escaped text keeps its escape',
    file: 'client/client.ts',
    search: "data = data.slice(1) as string\n      if (data[0] !== '\\0') return control(data)\n",
    replace: "if (data[1] !== '\\0') return control(data.slice(1) as string)\n",
    suites
  },
  {
    name: 'a silent socket is never dropped',
    file: 'client/liveness.ts',
    search: 'if (pings > (isLate ? 1 : 0)) drop()\n',
    replace: 'if (pings < 0) drop()\n',
    suites
  },
  {
    name: 'a client keeps its token after the server has refused it',
    file: 'client/client.ts',
    search: '({ token, window: windowTime = 0, protocol = plainProtocol } =',
    replace: '({ window: windowTime = 0, protocol = plainProtocol } =',
    suites
  }
]
