import { describe, expect, test } from 'vitest'
import { isPlainPath, resolveUpstreams, routeOf } from '../../../src/clients/proxy/upstreams.js'

describe('a path goes to', () => {
  const upstreams = resolveUpstreams({
    '/openai': 'https://api.openai.com',
    '/openai/eu': { url: 'https://eu.api.openai.com/', provider: 'openai-eu', labels: { region: 'eu' } },
    '/router': 'https://openrouter.ai/api/',
  })

  test.each([
    ['/openai/v1/models', 'https://api.openai.com', '/v1/models'],
    ['/openai/v1/models?limit=1', 'https://api.openai.com', '/v1/models?limit=1'],
    ['/openai', 'https://api.openai.com', '/'],
    ['/openai?x=/y', 'https://api.openai.com', '/?x=/y'],
    ['/openai/eu/v1/models', 'https://eu.api.openai.com', '/v1/models'],
    ['/openai/eu', 'https://eu.api.openai.com', '/'],
    ['/openai/europe', 'https://api.openai.com', '/europe'],
    ['/router/v1/chat/completions', 'https://openrouter.ai', '/api/v1/chat/completions'],
    ['/router?x=1', 'https://openrouter.ai', '/api?x=1'],
  ])('%s: %s %s', (target, origin, path) => {
    const route = routeOf(upstreams, target)
    expect({ origin: route?.upstream.origin, path: route?.path }).toEqual({ origin, path })
  })

  test.each(['/', '/v1/models', '/openaix', '/openai-v1', '/OpenAI/v1'])('no upstream: %s', (target) => {
    expect(routeOf(upstreams, target)).toBeNull()
  })

  test('its only upstream, whatever it is, under the prefix /', () => {
    const one = resolveUpstreams({ '/': 'http://127.0.0.1:1/base' })
    expect(['/', '/v1/x', '/?y'].map((target) => routeOf(one, target)?.path)).toEqual([
      '/base/',
      '/base/v1/x',
      '/base/?y',
    ])
  })

  test('provider: its own, the one that is given for all, or by the host', () => {
    const provider = (value: unknown, standard?: string) =>
      resolveUpstreams({ '/': value }, { provider: standard })[0]?.provider
    const url = 'https://api.anthropic.com'
    expect(provider({ url, provider: 'mine' }, 'all')).toBe('mine')
    expect(provider({ url }, 'all')).toBe('all')
    expect(provider(url)).toBe('anthropic')
    expect(provider('http://gpu-7:8000/v1')).toBe('gpu-7')
  })
})

test.each([
  '/..',
  '/../x',
  '/a/../../x',
  '/a/./b',
  '/a/%2e%2e/b',
  '/a/%2E./b',
  '/a/..%2fb',
  '/a%2f..%2fb',
  '/a\\..\\b',
  '/a/..%5cb',
  '/a/..',
  '/a/..?x',
  '/a#/../b',
  'http://other.example/v1',
  '//../x',
  '*',
  '',
])('%s is not passed on: it would lead out of its upstream', (target) => {
  expect(isPlainPath(target)).toBe(false)
})

test.each([
  '/',
  '/a/b',
  '/a/...',
  '/a/..b',
  '/a/b..',
  '/a/.well-known',
  '/v1beta/models/gemini:generateContent?alt=sse',
  '/a?x=../y',
  '//a',
])('%s is a plain path', (target) => {
  expect(isPlainPath(target)).toBe(true)
})

test.each([
  [null, 'found null, expected an object'],
  [['https://a.example'], 'found an array, expected an object'],
  [{}, 'found none, expected at least one'],
  [
    { '/': { url: 'https://a.example', includeUsage: 'yes' } },
    'includeUsage: found "yes", expected true or false',
  ],
  [{ openai: 'https://a.example' }, 'found the prefix "openai", expected a path'],
  [{ '/a/': 'https://a.example' }, 'found the prefix "/a/"'],
  [{ '/a/../b': 'https://a.example' }, 'found the prefix "/a/../b"'],
  [{ '/a?b': 'https://a.example' }, 'found the prefix "/a?b"'],
  [{ '/a': 7 }, '/a: found 7, expected a URL, or an object with url, provider, labels'],
  [{ '/a': {} }, '/a: found undefined, expected a URL such as'],
  [{ '/a': 'api.openai.com' }, '/a: found "api.openai.com", expected a URL'],
  [{ '/a': 'ftp://a.example' }, 'expected a URL such as https://api.openai.com'],
  [{ '/a': 'https://key@a.example' }, 'found a user or password in the URL'],
  [{ '/a': 'https://a.example/?x=1' }, "found '?x=1' at the end of the URL"],
  [
    { '/a': { url: 'https://a.example', key: 'k' } },
    '/a: unknown member "key"; it has url, provider, labels',
  ],
  [{ '/a': { url: 'https://a.example', provider: 1 } }, '/a: provider: found 1, expected a name'],
  [{ '/a': { url: 'https://a.example', labels: ['x'] } }, '/a: labels: found ["x"]'],
  [{ '/a': { url: 'https://a.example', labels: { x: 1 } } }, '/a: labels: found 1 for "x", expected a text'],
])('%j is refused: %s', (given, message) => {
  expect(() => resolveUpstreams(given)).toThrow(
    expect.objectContaining({ code: 'UPSTREAM_INVALID', message: expect.stringContaining(message) }),
  )
})
