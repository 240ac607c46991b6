import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { requirePackageFile } from '../../package/package-files.js'
import { compress, type Encoding, encodingFor } from './compression.js'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

/** What is small by itself already. */
const COMPACT = /^(image\/(?!svg)|font\/)/

/** The page is served as it was written. */
const PAGE_FILE = 'src/server/dashboard/index.html'
const UPLOT = ['uPlot.iife.min.js', 'uPlot.min.css']

/** The best there is: each file is compressed once. */
const QUALITY = 11

/** One file of the dashboard, held in memory. */
export class Asset {
  readonly contentType: string
  readonly #content: Buffer
  readonly #hash: string
  readonly #encoded = new Map<Encoding, Promise<Buffer>>()

  constructor(fileName: string, content: Buffer) {
    this.contentType = TYPES[extname(fileName)] ?? 'application/octet-stream'
    this.#content = content
    this.#hash = createHash('sha256').update(content).digest('base64url').slice(0, 22)
  }

  /** Each encoding is another sequence of bytes. */
  etag(encoding: Encoding): string {
    return `"${this.#hash}-${encoding}"`
  }

  /** The best of what a client accepts. */
  encodingFor(acceptEncoding: string | undefined): Encoding {
    return COMPACT.test(this.contentType) ? 'identity' : encodingFor(acceptEncoding)
  }

  /** Compressed when it is first asked for. */
  async encoded(encoding: Encoding): Promise<Buffer> {
    if (encoding === 'identity') return this.#content
    const known = this.#encoded.get(encoding) ?? compress(encoding, this.#content, QUALITY)
    this.#encoded.set(encoding, known)
    return await known
  }
}

/** The dashboard's files by the path that they are served at: `/` and `/assets/<room>/<file>`. */
export function loadAssets(): Map<string, Asset> {
  const assets = new Map<string, Asset>()
  const dashboard = dirname(requirePackageFile(PAGE_FILE))
  for (const name of readdirSync(dashboard, { encoding: 'utf8', recursive: true })) {
    const path = name === 'index.html' ? '/' : `/assets/${name.replaceAll(sep, '/')}`
    if (extname(name) in TYPES) assets.set(path, new Asset(name, readFileSync(join(dashboard, name))))
  }
  // uPlot's package exports no path to the folder; its main module is beside the files.
  const uplot = dirname(createRequire(requirePackageFile('package.json')).resolve('uplot'))
  for (const name of UPLOT) {
    assets.set(`/assets/uplot/${name}`, new Asset(name, readFileSync(join(uplot, name))))
  }
  return assets
}
