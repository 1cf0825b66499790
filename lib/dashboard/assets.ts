import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Made by `scripts/build-dashboard.mjs`. */
const builtFiles = join(import.meta.dirname, 'assets')

const types = new Map([
  ['.css', 'text/css; charset=utf-8'],
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.txt', 'text/plain; charset=utf-8']
])

/** The HTML file that is the page. */
const page = 'index.html'
/** Stands in the page before each of its URLs. */
const base = '{base}'

/** A file of the page. */
export interface Asset {
  readonly type: string
  readonly body: Buffer
  readonly etag: string
}

/** The files of the page. They are read once: together they have about 100 KB. */
export class Assets {
  readonly files: ReadonlyMap<string, Asset>
  readonly #page: string

  constructor (files: Map<string, Asset>) {
    this.#page = files.get(page)!.body.toString()
    files.delete(page)
    this.files = files
  }

  /** @throws Error if the page was not built. The package on npm has it */
  static async read (folder = builtFiles): Promise<Assets> {
    const all = await readdir(folder).catch((err: unknown) => {
      throw new Error(
        "the page of the dashboard is not built: run 'npm run build' for dist/, or " +
        "'node scripts/build-dashboard.mjs lib/dashboard/assets' for lib/",
        { cause: err }
      )
    })
    const names = all.filter((name) => types.has(extname(name)))
    const files = await Promise.all(names.map(async (name) => {
      const body = await readFile(join(folder, name))
      return [name, toAsset(types.get(extname(name))!, body)] as const
    }))
    return new Assets(new Map(files))
  }

  /**
   * The page for a request with or without a slash at its end. Its URLs are relative, because a
   * proxy may serve it below another path.
   */
  pageFor (url: string): Asset {
    const [path] = url.split('?', 1)
    const last = path.slice(path.lastIndexOf('/') + 1)
    // It may be any text where the prefix has a parameter. The router has decoded it before.
    const prefix = last === '' ? './' : `./${encodeURIComponent(decodeURIComponent(last))}/`
    return toAsset(types.get('.html')!, Buffer.from(this.#page.replaceAll(base, prefix)))
  }
}

function toAsset (type: string, body: Buffer): Asset {
  const hash = createHash('sha256').update(body).digest('base64url')
  return { type, body, etag: `"${hash.slice(0, 22)}"` }
}

/** Answers with 304 if the browser has the file. It asks each time, so that it has no old one. */
export function sendAsset (
  { body, etag, type }: Asset, request: FastifyRequest, reply: FastifyReply
): FastifyReply {
  reply.header('etag', etag).header('cache-control', 'private, no-cache')
  const known = request.headers['if-none-match']
  if (known !== undefined && known.includes(etag)) return reply.code(304).send()
  return reply.type(type).send(body)
}
