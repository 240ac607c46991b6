import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { requirePackageFile } from '../../../package/package-files.js'
import type { App } from '../app.js'
import { compress, type Encoding, encodingFor } from '../compression.js'

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * The page is served as it was written, except for comments in its scripts, and for this line:
 * nothing builds it.
 */
const MODULES_LINE = '<!-- The server names the other modules here. -->'
const PAGE_FILE = 'src/server/dashboard/index.html'
const UPLOT_FILES = ['uPlot.iife.min.js', 'uPlot.min.css']

/** Brotli's highest quality: each file is compressed only once. */
const QUALITY = 11

/** Serves the dashboard: its page at `/`, and the files that it loads below `/assets/`. */
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

/** Loads the dashboard's files, by the path that serves them: `/`, `/assets/<room>/<file>`. */
export function loadAssets(): Map<string, Asset> {
  const assets = new Map<string, Asset>()
  const add = (path: string, file: string) => {
    const contentType = CONTENT_TYPES[extname(file)]
    if (contentType === undefined) return
    const content = readFileSync(file)
    assets.set(path, new Asset(contentType, extname(file) === '.js' ? withoutComments(content) : content))
  }
  const dashboard = dirname(requirePackageFile(PAGE_FILE))
  for (const name of readdirSync(dashboard, { encoding: 'utf8', recursive: true }).toSorted()) {
    if (name !== 'index.html') add(`/assets/${name.replaceAll(sep, '/')}`, join(dashboard, name))
  }
  const page = readFileSync(join(dashboard, 'index.html'), 'utf8')
  assets.set('/', new Asset('text/html; charset=utf-8', Buffer.from(withModules(page, [...assets.keys()]))))
  // uPlot's package doesn't export the folder, but its main module is in the same folder.
  const uplot = dirname(createRequire(requirePackageFile('package.json')).resolve('uplot'))
  for (const name of UPLOT_FILES) add(`/assets/uplot/${name}`, join(uplot, name))
  return assets
}

/** Names all modules in the page, so that the browser doesn't find them one by one. */
function withModules(page: string, paths: readonly string[]): string {
  const others = paths.filter((path) => path.endsWith('.js') && !page.includes(`"${path.slice(1)}"`))
  const links = others.map((path) => `<link rel="modulepreload" href="${path.slice(1)}">`)
  return page.replace(MODULES_LINE, links.join('\n'))
}

/**
 * Removes comments that have lines of their own: they are a third of what would be sent. The line
 * breaks stay, so that an error in the browser names the right line of the file.
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

  /** Returns the tag for an encoding: each has other bytes, and needs a tag of its own. */
  etag(encoding: Encoding): string {
    return `"${this.#hash}-${encoding}"`
  }

  /** Returns the file in an encoding. It is compressed when that is first asked for. */
  async encoded(encoding: Encoding): Promise<Buffer> {
    return await compress(encoding, this.#content, QUALITY)
  }
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
