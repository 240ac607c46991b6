import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import SQLite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { listImports } from '../../../src/maintenance/index.js'
import { test, type Workspace } from '../../support/workspace.js'
import { importHere } from './support.js'

const row = (id: string, other: object = {}) => ({
  request_id: id,
  startTime: '2026-10-01T10:00:00.000Z',
  endTime: '2026-10-01T10:00:01.000Z',
  model: 'gpt-4o',
  spend: 0.001,
  ...other,
})
const line = (id: string) => JSON.stringify(row(id))

const written = ({ directory }: Workspace, text: string | Buffer, name = 'spend.jsonl') => {
  const file = join(directory, name)
  writeFileSync(file, text)
  return file
}

const dryRun = (workspace: Workspace, text: string | Buffer) =>
  importHere({
    journal: workspace.journal,
    from: 'litellm',
    file: written(workspace, text),
    dryRun: true,
  })

const NO_ROW = 'expected an object with the columns of a row'
const NO_JSON = "found something that isn't JSON"

describe('JSON', () => {
  test.for([
    ['garbage', `${NO_JSON} (`],
    ['[1,2]', `found [1,2], ${NO_ROW}`],
    ['"text"', `found "text", ${NO_ROW}`],
    ['123', `found 123, ${NO_ROW}`],
    ['null', `found null, ${NO_ROW}`],
    ['{}', `found {}, ${NO_ROW}`],
    ['{"request_id": "x", "spend": ', NO_JSON],
    ['{"request_id": "x", "model": "gp', NO_JSON],
    ['{"request_id": "x"}}', NO_JSON],
    [line('x').replace('gpt', '\\\\"gpt\\\\"'), 'backslashes are doubled, as \\copy of psql writes them'],
  ] as const)(
    'the line %j is rejected by itself, between good ones and as the last',
    async ([text, reason], { workspace }) => {
      for (const [at, good] of [
        [2, [line('a'), text, line('b'), '', line('c')]],
        [4, [line('a'), line('b'), line('c'), text]],
      ] as const) {
        const result = await dryRun(workspace, good.join('\n'))
        expect(result.rejections).toEqual([{ line: at, reason: expect.stringContaining(reason) }])
        expect(result).toMatchObject({ requests: 3, rejected: 1, rows: 4 })
      }
    },
  )

  test.for(['{"request_id": "x", "spend": ', 'garbage', '12'])(
    'the line %j at the beginning of the file costs none of the others',
    async (text, { workspace }) => {
      const result = await dryRun(workspace, `${text}\n${line('a')}\n${line('b')}\n`)
      expect(result).toMatchObject({ requests: 2, rejections: [{ line: 1 }] })
    },
  )

  test.for([
    ['in lines', (rows: object[]) => JSON.stringify(rows, null, 2)],
    ['in one line', (rows: object[]) => JSON.stringify(rows)],
    ['with a row a line', (rows: object[]) => `[\n${rows.map((it) => JSON.stringify(it)).join(',\n')}\n]`],
    ['as objects in lines', (rows: object[]) => rows.map((it) => JSON.stringify(it, null, 1)).join('\n')],
    ['as an answer in lines', (rows: object[]) => JSON.stringify({ data: rows, total: 3 }, null, 4)],
    ['as an answer in one line', (rows: object[]) => `\uFEFF${JSON.stringify({ data: rows })}`],
  ] as const)('rows %s are read', async ([, text], { workspace }) => {
    const rows = ['a', 'b', 'c'].map((id) => row(id, { metadata: { note: '[{"}\\' } }))
    expect(await dryRun(workspace, text(rows))).toMatchObject({ requests: 3, rejected: 0 })
  })

  test('what stands in an array and is no row is rejected, and a cut array gives what was whole', async ({
    workspace,
  }) => {
    const text = `[${line('a')},\n 12, "a\\"]", null,\n [1, [2]],\n${line('b')},\n{"request_id": "c",\n "spe`
    const result = await dryRun(workspace, text)
    expect(result.rejections).toEqual([
      { line: 2, reason: `found 12, ${NO_ROW}` },
      { line: 2, reason: `found "a\\"]", ${NO_ROW}` },
      { line: 2, reason: `found null, ${NO_ROW}` },
      { line: 3, reason: `found [1,[2]], ${NO_ROW}` },
      {
        line: 5,
        reason: expect.stringContaining(
          'the file ends within an object or an array: nothing was imported from lines 5 to 6',
        ),
      },
    ])
    expect(result).toMatchObject({ requests: 2, rejected: 5 })
  })
})

describe('a file', () => {
  test('that is compressed with gzip is the same as without, and a damaged one is refused', async ({
    workspace,
  }) => {
    const text = `${line('a')}\n${line('b')}\n`
    const plain = await dryRun(workspace, text)
    expect(await dryRun(workspace, gzipSync(text))).toEqual(plain)
    await expect(dryRun(workspace, gzipSync(text).subarray(0, 60))).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining("the file's gzip is damaged or cut"),
    })
  })

  test('that is a pipe is refused, since it is read twice', async ({ workspace }) => {
    const file = join(workspace.directory, 'pipe')
    execFileSync('mkfifo', [file])
    await expect(importHere({ journal: workspace.journal, from: 'litellm', file })).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('write it to a file first'),
    })
  })
})

describe('rejected rows', () => {
  test.for([
    [
      'CSV',
      'calls.csv',
      'model,latency_ms,timestamp,note\r\ngpt,5,2026-10-01T10:00:00Z,a\r\n\r\ngpt,soon,2026-10-01T11:00:00Z,"b, ""\nc"\r\nshort,5\r\n',
      'model,latency_ms,timestamp,note\r\ngpt,soon,2026-10-01T11:00:00Z,"b, ""\nc"\r\nshort,5\r\n',
    ],
    [
      'JSON lines',
      'calls.jsonl',
      '{"model":"gpt","latency_ms":5,"timestamp":"2026-10-01T10:00:00Z"}\n{ "model": "gpt", "latency_ms":"soon", "timestamp":1e99 }\n{"model":',
      '{ "model": "gpt", "latency_ms":"soon", "timestamp":1e99 }\n{"model":\n',
    ],
    [
      'an array',
      'calls.json',
      '[{"model":"gpt","latency_ms":5,"timestamp":"2026-10-01T10:00:00Z"},\n{"model":"gpt",\n"latency_ms":"soon","timestamp":"2026-10-01T11:00:00Z"}, 12]',
      '{"model":"gpt","latency_ms":"soon","timestamp":"2026-10-01T11:00:00Z"}\n12\n',
    ],
  ] as const)(
    'of %s are kept as they are, and imported by themselves once they are corrected',
    async ([, name, text, expected], { workspace }) => {
      const { journal, directory } = workspace
      const rejected = join(directory, 'rejected')
      const options = { journal, from: 'csv', file: written(workspace, text, name), rejected } as const
      expect(await importHere(options)).toMatchObject({ requests: 1, rejected: 2, too_many_rejected: false })
      expect(readFileSync(rejected, 'utf8')).toBe(expected)
      await expect(importHere(options)).rejects.toThrow(
        `rejected: found a file ${rejected}, expected a new one`,
      )
      // They can be had later, too.
      const later = { ...options, rejected: join(directory, 'later') }
      expect(await importHere(later)).toMatchObject({ already_imported: true, requests: 0, rejected: 2 })
      expect(readFileSync(later.rejected, 'utf8')).toBe(expected)
      writeFileSync(rejected, expected.replace('soon', '7').replace('1e99', '1790000000'))
      expect(await importHere({ journal, from: 'csv', file: rejected })).toMatchObject({
        requests: 1,
        rejected: 1,
      })
    },
  )

  test('of a table are kept as JSON', async ({ workspace }) => {
    const { journal, directory } = workspace
    const file = join(directory, 'old.db')
    const old = new SQLite(file)
    old.exec("CREATE TABLE calls (model, timestamp, latency_ms); INSERT INTO calls VALUES ('gpt', 'x', 12)")
    old.close()
    const rejected = join(directory, 'rejected')
    await importHere({ journal, from: 'sqlite', table: 'calls', file, rejected })
    expect(readFileSync(rejected, 'utf8')).toBe('{"model":"gpt","timestamp":"x","latency_ms":12}\n')
  })

  test('that are more than ten, and more than a tenth of all, stop an import before anything is stored', async ({
    workspace,
  }) => {
    const { journal, directory } = workspace
    const rows = Array.from({ length: 100 }, (_, at) => (at % 9 === 1 ? 'garbage' : line(`id-${at}`)))
    const rejected = join(directory, 'rejected')
    const file = written(workspace, rows.join('\n'))
    const options = { journal, from: 'litellm', file, rejected } as const
    await expect(importHere(options)).rejects.toMatchObject({
      code: 'ROWS_REJECTED',
      message: expect.stringContaining(
        '11 rows of 100 would be rejected, so nothing was imported: the first is line 2: found',
      ),
    })
    expect(existsSync(rejected)).toBe(false)
    expect(listImports({ journal })).toEqual([])
    expect(await importHere({ ...options, rejected: undefined, dryRun: true })).toMatchObject({
      requests: 89,
      too_many_rejected: true,
    })
    expect(await importHere({ ...options, allowRejected: true })).toMatchObject({ requests: 89 })
    expect(listImports({ journal })).toMatchObject([
      { file: 'spend.jsonl', options: '--from litellm', requests: 89, event_count: 89, segments_gone: 0 },
    ])
  })
})
