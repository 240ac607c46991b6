import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { requirePackageFile } from '../../../package/package-files.js'
import type { App } from '../app.js'
import { compress, type Encoding, encodingFor } from '../compression.js'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The page is served as it was written, but for comments: nothing is built. */
const PAGE_FILE = 'src/server/dashboard/index.html'
const UPLOT_FILES = ['uPlot.iife.min.js', 'uPlot.min.css']

/** Brotli's best: each file is compressed once. */
const QUALITY = 11

/** Serves the dashboard: its page at `/`, and what it loads below `/assets/`. */
export function addDashboardRoutes(app: App): void {
  for (const [path, asset] of loadAssets()) {
    app.get(path, { schema: { hide: true } }, async ({ headers }, reply) => {
      const encoding = encodingFor(headers['accept-encoding'])
      const etag = asset.etag(encoding)
      reply.headers({ etag, vary: 'Accept-Encoding', 'cache-control': 'no-cache' })
      if (matches(headers['if-none-match'], etag)) return await reply.code(304).send()
      if (encoding !== 'identity') reply.header('content-encoding', encoding)
      return await reply.type(asset.contentType).send(await asset.encoded(encoding))
    })
  }
}

/** The dashboard's files by the path that they are served at: `/` and `/assets/<room>/<file>`. */
export function loadAssets(): Map<string, Asset> {
  const assets = new Map<string, Asset>()
  const add = (path: string, file: string) => {
    const contentType = CONTENT_TYPES[extname(file)]
    if (contentType === undefined) return
    const content = readFileSync(file)
    assets.set(path, new Asset(contentType, extname(file) === '.js' ? withoutComments(content) : content))
  }
  const dashboard = dirname(requirePackageFile(PAGE_FILE))
  for (const name of readdirSync(dashboard, { encoding: 'utf8', recursive: true })) {
    add(name === 'index.html' ? '/' : `/assets/${name.replaceAll(sep, '/')}`, join(dashboard, name))
  }
  // uPlot's package exports no path to the folder; its main module is beside the files.
  const uplot = dirname(createRequire(requirePackageFile('package.json')).resolve('uplot'))
  for (const name of UPLOT_FILES) add(`/assets/uplot/${name}`, join(uplot, name))
  return assets
}

/**
 * Takes comments out that have lines of their own, a third of what a browser would be sent. Their
 * line ends stay, so that an error in the browser names the line of the file.
 */
function withoutComments(script: Buffer): Buffer {
  const text = script
    .toString()
    .replace(/^[ \t]*(?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/|\/\/.*)$/gm, (comment) => comment.replace(/.+/g, ''))
  return Buffer.from(text)
}

/** One file of the dashboard, held in memory. */
export class Asset {
  readonly contentType: string
  readonly #content: Buffer
  readonly #hash: string

  constructor(contentType: string, content: Buffer) {
    this.contentType = contentType
    this.#content = content
    this.#hash = createHash('sha256').update(content).digest('base64url').slice(0, 22)
  }

  /** Each encoding has a tag of its own: it is another sequence of bytes. */
  etag(encoding: Encoding): string {
    return `"${this.#hash}-${encoding}"`
  }

  /** Compressed when it is first asked for. */
  async encoded(encoding: Encoding): Promise<Buffer> {
    return await compress(encoding, this.#content, QUALITY)
  }
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
