import type { App } from '../app.js'
import { type Asset, loadAssets } from '../assets.js'

/** The dashboard: its page at `/`, what it loads below `/assets/`. */
export function addDashboardRoutes(app: App): void {
  for (const [path, asset] of loadAssets()) addAsset(app, path, asset)
}

function addAsset(app: App, path: string, asset: Asset): void {
  app.get(path, { schema: { hide: true } }, async ({ headers }, reply) => {
    const encoding = asset.encodingFor(headers['accept-encoding'])
    const etag = asset.etag(encoding)
    reply.headers({ etag, vary: 'Accept-Encoding', 'cache-control': 'no-cache' })
    if (matches(headers['if-none-match'], etag)) return await reply.code(304).send()
    if (encoding !== 'identity') reply.header('content-encoding', encoding)
    return await reply.type(asset.contentType).send(await asset.encoded(encoding))
  })
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
