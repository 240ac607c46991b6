import { describe, expect, test } from 'vitest'
import { s3Address } from '../../../src/maintenance/objects/s3-address.js'
import { ObjectStore } from '../../../src/maintenance/objects/s3-store.js'
import { S3Server } from '../../support/s3-server.js'

const bytes = Buffer.from('some bytes')

async function keysOf(store: ObjectStore, beginning = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const key of store.list(beginning)) keys.push(key)
  return keys
}

describe('a store with the protocol of S3', () => {
  test('gives back what was created, and never overwrites it', async () => {
    const server = await S3Server.start()
    const store = await ObjectStore.open('s3://logs/a b/c')
    expect(store.name).toBe('s3://logs/a b/c')
    expect(await store.read('x')).toBe(null)
    expect(await store.metadata('x')).toBe(null)
    expect(await store.create('x', bytes, { sha256: 'abc' })).toBe(true)
    expect(await store.create('x', Buffer.from('others'))).toBe(false)
    expect(await store.read('x')).toEqual({ bytes, metadata: { sha256: 'abc' } })
    expect(await store.metadata('x')).toEqual({ sha256: 'abc' })
    expect([...server.objects.keys()]).toEqual(['a b/c/x'])
    store.close()
  })

  test('lists keys of its prefix page by page, in their order', async () => {
    await S3Server.start()
    const other = await ObjectStore.open('s3://logs/other')
    await other.create('k', bytes)
    const store = await ObjectStore.open('s3://logs')
    const keys = Array.from({ length: 8 }, (_, n) => `keys/${n}`)
    for (const key of keys.toReversed()) await store.create(key, bytes)
    expect(await keysOf(store, 'keys/')).toEqual(keys)
    expect(await keysOf(store)).toEqual([...keys, 'other/k'])
    expect(await keysOf(other)).toEqual(['k'])
    for (const each of [store, other]) each.close()
  })

  test.each(['slow-down', 'cut'] as const)('tries again after the fault %s', async (fault) => {
    const server = await S3Server.start()
    const store = await ObjectStore.open('s3://logs')
    for (const method of ['PUT', 'HEAD', 'GET']) server.faults.push({ method, fault })
    expect(await store.create('x', bytes)).toBe(true)
    expect(await store.metadata('x')).toEqual({})
    expect((await store.read('x'))?.bytes).toEqual(bytes)
    expect(server.faults).toEqual([])
    store.close()
  })

  test('reads again an answer that broke off, and finds an object whose answer was lost', async () => {
    const server = await S3Server.start()
    const store = await ObjectStore.open('s3://logs')
    server.faults.push({ method: 'PUT', fault: 'lose-answer' }, { method: 'GET', fault: 'cut-answer' })
    expect(await store.create('x', bytes)).toBe(false)
    expect((await store.read('x'))?.bytes).toEqual(bytes)
    expect(server.faults).toEqual([])
    store.close()
  })

  test('says what is wrong with a store that refuses', async () => {
    const server = await S3Server.start()
    const missing = await ObjectStore.open('s3://others')
    await expect(keysOf(missing)).rejects.toMatchObject({ code: 'STORE_REFUSED', address: 's3://others/' })
    await expect(keysOf(missing)).rejects.toThrow(/NoSuchBucket/)
    server.refusesAll = true
    const store = await ObjectStore.open('s3://logs')
    await expect(store.create('x', bytes)).rejects.toThrow(/InvalidAccessKeyId/)
    await expect(store.metadata('x')).rejects.toMatchObject({ code: 'STORE_REFUSED' })
    for (const each of [store, missing]) each.close()
  })

  test.each(['s3://', 's3:logs', 's3://Logs/x', 's3://logs//x', 's3://logs/a/../b', 'S3://logs'])(
    'refuses the address %s',
    (address) => expect(() => s3Address(address)).toThrow(/Expected s3:\/\/bucket\/prefix/),
  )
})
