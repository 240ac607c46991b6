import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { transform } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { loadAssets } from '../../src/server/http/routes/dashboard.js'

const folder = fileURLToPath(new URL('../../src/server/dashboard/', import.meta.url))
const read = (name: string) => readFileSync(folder + name, 'utf8')
const names = readdirSync(folder, { encoding: 'utf8', recursive: true }).filter(
  (name) => extname(name) !== '',
)
const modules = names.filter((name) => name.endsWith('.js'))
const html = String(await loadAssets().get('/')?.encoded('identity'))

describe('what the browser is sent', () => {
  test('the page names every file, so that all are loaded at once', () => {
    const named = [...html.matchAll(/(?:href|src)="assets\/([^"]+)"/g)].map((match) => match[1])
    const served = names.filter((name) => /\.(js|css|svg)$/.test(name))
    const uplot = ['uplot/uPlot.iife.min.js', 'uplot/uPlot.min.css']
    expect(named.toSorted()).toEqual([...served, ...uplot].toSorted())
    const assets = loadAssets()
    for (const name of named) expect([...assets.keys()]).toContain(`/assets/${name}`)
  })

  test('is small', async () => {
    const paths = ['/', ...html.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map((found) =>
      typeof found === 'string' ? found : `/${found[1]}`,
    )
    const assets = loadAssets()
    let [bytes, compressed] = [0, 0]
    for (const path of paths) {
      const content = (await assets.get(path)?.encoded('identity')) ?? Buffer.alloc(0)
      bytes += content.length
      compressed += brotliCompressSync(content).length
    }
    expect(compressed).toBeLessThan(90_000)
    expect(bytes).toBeLessThan(275_000)
  })

  test('the page has neither script nor style of its own, which the security policy would refuse', () => {
    expect(html).not.toMatch(/\sstyle=|<style|\son[a-z]+=/)
    expect([...html.matchAll(/<script[^>]*>([^<]*)/g)].map((match) => match[1]?.trim())).toEqual(['', '', ''])
  })

  test.each(modules)('%s is sent without most of its comments, and means the same', async (name) => {
    const sent = String(await loadAssets().get(`/assets/${name}`)?.encoded('identity'))
    const plain = { minifyWhitespace: true, legalComments: 'none' } as const
    expect((await transform(sent, plain)).code).toBe((await transform(read(name), plain)).code)
    expect(sent).not.toMatch(/^ *\/\*\*[^*]*\n/m)
    // An error in a browser names the file's line.
    expect(sent.split('\n')).toHaveLength(read(name).split('\n').length)
  })

  test.each(names)('%s has at most 300 lines', (name) => {
    expect(read(name).split('\n').length).toBeLessThanOrEqual(301)
  })

  test.each(modules)('%s never parses text as HTML or code', (name) => {
    expect(read(name)).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function/,
    )
  })
})
