import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { end } from '../support/program.js'

const SERVER = fileURLToPath(new URL('ingest-server.mjs', import.meta.url))
const TOKEN = 'correct-horse-battery-staple'
const KILLS = 2
const CLIENTS = 4
/** Large enough that a kill finds some bodies half written. */
const EVENTS = 300

const event = (name: string) => ({ correlation_id: name, model: 'm', latency_ms: 1, success: true })

async function startServer(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const args = [SERVER, join(folder, 'journal'), TOKEN]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => void (await end(child, 'SIGKILL')))
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, url }
}

/** Posts a body until it is answered, wherever the server is by then. */
async function postUntilAnswered(urlNow: () => string, name: string): Promise<void> {
  const events = Array.from({ length: EVENTS }, (_, index) => event(`${name}-${index}`))
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${TOKEN}`,
    'idempotency-key': name,
  }
  for (;;) {
    try {
      const body = JSON.stringify(events)
      const answer = await fetch(`${urlNow()}/v1/events`, { method: 'POST', headers, body })
      expect(answer.status).toBe(200)
      const { appended, repeated } = (await answer.json()) as { appended: number; repeated: number }
      expect(appended + repeated).toBe(EVENTS)
      return
    } catch (error) {
      // Only what a dead server does: anything else fails the test.
      if (!(error instanceof TypeError)) throw error
      await sleep(10)
    }
  }
}

test('a server that is killed while it takes events has each of them once, when those that got no answer are posted again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'request-journal-ingest-crash-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  let server = await startServer(folder)
  let isOver = false
  const posted: string[] = []
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let n = 0; !isOver; n++) {
      const name = `${client}.${n}`
      await postUntilAnswered(() => server.url, name)
      posted.push(name)
    }
  })
  for (let kill = 0; kill < KILLS; kill++) {
    const before = posted.length
    // Each time at another point of the work that goes on.
    await expect.poll(() => posted.length, { timeout: 20_000 }).toBeGreaterThan(before + kill)
    await sleep(kill * 3)
    await end(server.child, 'SIGKILL')
    server = await startServer(folder)
  }
  isOver = true
  await Promise.all(clients)
  await end(server.child)
  const names = readdirSync(join(folder, 'journal'))
    .filter((file) => file.endsWith('.ndjson'))
    .flatMap((file) => readFileSync(join(folder, 'journal', file), 'utf8').split('\n'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line).correlation_id as string]
      } catch {
        // A line that a kill has cut.
        return []
      }
    })
  const expected = posted.flatMap((name) => Array.from({ length: EVENTS }, (_, index) => `${name}-${index}`))
  expect(names.toSorted()).toEqual(expected.toSorted())
})
