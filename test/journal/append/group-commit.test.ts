import { describe, expect, test } from 'vitest'
import { GroupCommit } from '../../../src/journal/append/group-commit.js'

/** A sync that ends when it is told to. */
function controlled() {
  const running: { resolve: () => void; reject: (error: Error) => void }[] = []
  const waiting: (() => void)[] = []
  const group = new GroupCommit(() => {
    const ended = new Promise<void>((resolve, reject) => running.push({ resolve, reject }))
    waiting.shift()?.()
    return ended
  })
  const began = () => new Promise<void>((resolve) => waiting.push(resolve))
  return { group, running, began }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('one sync serves all who wait', () => {
  test('all callers that join before it begins share it', async () => {
    const { group, running, began } = controlled()
    const joined = [group.join(), group.join(), group.join()]
    await began()
    running[0]?.resolve()
    await Promise.all(joined)
    expect(running).toHaveLength(1)
  })

  test('a caller that joins while it runs waits for the next, which begins when it has ended', async () => {
    const { group, running, began } = controlled()
    const first = group.join()
    await began()
    const second = [group.join(), group.join()]
    let isSecondDone = false
    void second[0]?.then(() => {
      isSecondDone = true
    })
    await turn()
    await turn()
    expect(running).toHaveLength(1)
    const next = began()
    running[0]?.resolve()
    await first
    await next
    expect(isSecondDone).toBe(false)
    running[1]?.resolve()
    await Promise.all(second)
    expect(running).toHaveLength(2)
  })

  test('callers that it wakes and that join at once share the next', async () => {
    const { group, running, began } = controlled()
    const first = group.join()
    await began()
    const second = group.join()
    const rejoined = first.then(() => group.join())
    const next = began()
    running[0]?.resolve()
    await next
    running[1]?.resolve()
    await Promise.all([second, rejoined])
    expect(running).toHaveLength(2)
  })

  test('a failure rejects those that wait for it, and the next sync is made all the same', async () => {
    const { group, running, began } = controlled()
    const first = group.join()
    await began()
    const second = group.join()
    const next = began()
    running[0]?.reject(new Error('EIO'))
    await expect(first).rejects.toThrow('EIO')
    await next
    running[1]?.resolve()
    await second
    const third = group.join()
    await began()
    running[2]?.resolve()
    await third
    expect(running).toHaveLength(3)
  })
})
